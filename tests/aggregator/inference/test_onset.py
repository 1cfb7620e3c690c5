"""The answer for one provider."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest

from aggregator.inference.onset import infer
from aggregator.inference.rows.parameters import Parameters
from aggregator.inference.rows.rows import Rows
from tests.support.measured_fleet import FleetSpec, make, seconds

LAB = Parameters(cadence_s=2.0, lag_s=2.0)
FOREVER = 1e9


@pytest.mark.parametrize("lines", [2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_block_is_found_to_within_a_cadence(lines: int, seed: int) -> None:
    """A block seen by a few lines is blocked, its interval holds the truth, and its method is named."""
    answer = infer(make(FleetSpec(seed=seed, lines=lines, blocks=((60, FOREVER),))), LAB)
    assert answer.state == "blocked"
    assert answer.onset is not None
    assert seconds(answer.onset.earliest) - 2 <= 60 <= seconds(answer.onset.latest) + 2
    assert abs(seconds(answer.onset.estimate) - 60) < 2
    assert answer.lift is None
    assert answer.method == "tcp-reset"
    assert seconds(answer.first_fail) >= 59
    assert seconds(answer.last_ok) <= seconds(answer.first_fail)


def test_lifted_block_has_both_ends() -> None:
    """A block that ends is lifted, with an interval for each end."""
    answer = infer(make(FleetSpec(blocks=((60, 100),))), LAB)
    assert answer.state == "lifted"
    assert answer.lift is not None
    assert abs(seconds(answer.lift.estimate) - 100) < 2


@pytest.mark.parametrize("seed", range(6))
def test_quiet_provider_is_reachable(seed: int) -> None:
    """A failure rate of 5 % is not a block."""
    answer = infer(make(FleetSpec(seed=seed, loss=0.05)), LAB)
    assert (answer.state, answer.onset, answer.pattern) == ("reachable", None, "none")
    assert answer.p_block < 0.1


def test_one_flaky_line_is_not_a_block() -> None:
    """One line of three that fails two runs of five at all times is not taken for a block."""
    answer = infer(make(FleetSpec(flaky=(0,))), LAB)
    assert answer.state == "reachable"


def test_one_line_that_changes_among_three_is_not_a_block() -> None:
    """A change of one line of three is taken for a private change."""
    answer = infer(make(FleetSpec(blocks=((60, FOREVER),), spared=(1, 2))), LAB)
    assert answer.state == "reachable"


def test_single_line_is_only_suspected() -> None:
    """With one line there is an onset with its interval, but the state is at most suspected."""
    answer = infer(make(FleetSpec(lines=1, blocks=((60, FOREVER),))), LAB)
    assert answer.state == "suspected"
    assert answer.onset is not None


def test_one_line_beside_one_that_never_worked_is_only_suspected() -> None:
    """A second line that never worked does not confirm what one line shows."""
    rows = make(FleetSpec(lines=2, length=200.0, blocks=((60, FOREVER),)))
    dead = np.where(rows.line == np.unique(rows.line)[1], 1, rows.outcome).astype(np.int8)
    answer = infer(dataclasses.replace(rows, outcome=dead), LAB)
    assert answer.state == "suspected"
    assert answer.onset is not None
    assert "seen on one independent line only" in answer.reasons


def test_two_probes_on_one_line_count_once() -> None:
    """Two probes on one line give the evidence of one line."""
    rows = make(FleetSpec(lines=2, blocks=((60, FOREVER),)))
    answer = infer(dataclasses.replace(rows, line=np.full(rows.at.size, "home")), LAB)
    assert (answer.state, answer.lines, answer.probes) == ("suspected", 1, 2)


def test_blocked_before_the_first_row() -> None:
    """If no line ever worked, the onset has neither an estimate nor an earliest time."""
    answer = infer(make(FleetSpec(blocks=((-10, FOREVER),))), LAB)
    assert answer.state == "blocked_since_before_start"
    assert answer.onset is not None
    assert answer.onset.earliest is None
    assert answer.onset.estimate is None


def test_one_line_that_never_worked_shows_nothing() -> None:
    """A single line that never succeeded is insufficient."""
    answer = infer(make(FleetSpec(lines=1, blocks=((-10, FOREVER),))), LAB)
    assert answer.state == "insufficient"
    assert answer.onset is None


@pytest.mark.parametrize("length", [3.0, 8.0, 12.0])
def test_few_rows_give_no_block(length: float) -> None:
    """With a few rows no block is found."""
    answer = infer(make(FleetSpec(length=length)), LAB)
    assert answer.state in {"insufficient", "reachable"}


def _shuffled(rows: Rows, seed: int) -> Rows:
    order = np.random.default_rng(seed).permutation(rows.at.size)
    columns = {
        f.name: getattr(rows, f.name)[order]
        for f in dataclasses.fields(rows)
        if isinstance(getattr(rows, f.name), np.ndarray)
    }
    return dataclasses.replace(rows, **columns)


def test_order_of_rows_does_not_matter() -> None:
    """The same rows in another order give the same answer, byte for byte."""
    rows = make(FleetSpec(blocks=((60, 100),), flaky=(1,), lines=4))
    rows = dataclasses.replace(rows, at=rows.at // 1000 * 1000)
    expected = msgspec.json.encode(infer(rows, LAB))
    assert all(msgspec.json.encode(infer(_shuffled(rows, s), LAB)) == expected for s in range(5))


def test_no_rows_is_insufficient() -> None:
    """Without any rows there is an answer all the same."""
    rows = make(FleetSpec())
    none = np.zeros(rows.at.size, bool)
    columns = {
        f.name: getattr(rows, f.name)[none]
        for f in dataclasses.fields(rows)
        if isinstance(getattr(rows, f.name), np.ndarray)
    }
    answer = infer(dataclasses.replace(rows, **columns), LAB)
    assert (answer.state, answer.measurements) == ("insufficient", 0)

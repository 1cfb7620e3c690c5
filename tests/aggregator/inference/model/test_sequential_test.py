"""The sequential test: what it may know, and what must not fool it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from aggregator.inference.model.sequential_test import trace
from aggregator.inference.rows.rows import OK, UNKNOWN, Rows
from tests.support.measured_fleet import BASE, FleetSpec, make

DAY = 86400.0


def part(rows: Rows, chosen: np.ndarray) -> Rows:
    """Some of the rows."""
    columns: dict[str, Any] = {f.name: getattr(rows, f.name) for f in fields(Rows)}
    changed: dict[str, Any] = {name: c[chosen] for name, c in columns.items() if isinstance(c, np.ndarray)}
    return replace(rows, **changed)


def joined(one: Rows, two: Rows) -> Rows:
    """The rows of both, the first one's lines renamed."""
    columns: dict[str, Any] = {f.name: getattr(one, f.name) for f in fields(Rows)}
    two = replace(two, probe=np.char.add("a", two.probe), line=np.char.add("a", two.line))
    both: dict[str, Any] = {
        n: np.concatenate((c, getattr(two, n))) for n, c in columns.items() if isinstance(c, np.ndarray)
    }
    return replace(one, **both)


def scores(made: FleetSpec) -> tuple[np.ndarray, np.ndarray]:
    """Seconds from BASE, and the score after each row."""
    _, at, _, score = trace(make(made))
    return (at - BASE) / 1000, score


def test_scores_of_the_first_rows_do_not_depend_on_what_follows() -> None:
    """Neither more rows, nor lines that join later and sort first, change a score that was printed."""
    first = make(
        FleetSpec(seed=3, cadence=900, length=3 * DAY, flaky=(2,), outage=(DAY, 1.2 * DAY), blocks=((2 * DAY, 1e9),))
    )
    later = make(FleetSpec(seed=4, cadence=600, length=3 * DAY, lines=8, skew={1: -5000.0}))
    both = joined(first, part(later, later.received > BASE + 1.5 * DAY * 1000))
    received, _, _, whole = trace(both)
    for until in (DAY * 1.1, 1.6 * DAY, 2.3 * DAY):
        cut = BASE + int(until * 1000)
        prefix = trace(part(both, both.received <= cut))[3]
        assert prefix.tolist() == whole[received <= cut].tolist()


def test_one_line_levels_off() -> None:
    """However long one line fails alone, the score stays below even odds."""
    _, score = scores(FleetSpec(cadence=600, length=8 * DAY, blocks=((2 * DAY, 1e9),), spared=(1, 2)))
    assert score.max() < 0


def test_two_lines_that_switch_days_apart_are_no_block() -> None:
    """Two private changes a day apart do not come near what two lines that change together reach."""
    lines = [
        make(FleetSpec(seed=s, lines=1, cadence=600, length=5 * DAY, blocks=((start * DAY, 1e9),)))
        for s, start in ((1, 2.0), (2, 3.0))
    ]
    apart = trace(joined(*lines))[3]
    _, together = scores(FleetSpec(lines=2, cadence=600, length=5 * DAY, blocks=((2 * DAY, 1e9),)))
    assert apart.max() < together.max() - 2


def test_block_after_an_outage_is_seen() -> None:
    """An outage that ended hours ago does not explain a block away."""
    made = FleetSpec(cadence=600, length=5 * DAY, outage=(2 * DAY, 2.2 * DAY), blocks=((2.4 * DAY, 1e9),))
    at, score = scores(made)
    before, first = score[at < 2.4 * DAY].max(), int(np.searchsorted(at, 2.4 * DAY))
    assert score[first : first + 20].max() > before + 1


def test_score_does_not_rise_when_an_outage_ends() -> None:
    """Rows that go through again are no evidence of a block."""
    for seed in range(4):
        at, score = scores(FleetSpec(seed=seed, lines=4, cadence=600, length=4 * DAY, outage=(2 * DAY, 2.2 * DAY)))
        assert score[at > 2.2 * DAY].max() < max(score[at < 2.2 * DAY].max(), -1.0) + 1


def test_lines_that_see_a_block_one_after_another_are_taken_together() -> None:
    """Four lines that begin to fail within two hours of each other raise the score as no single line does."""
    starts = (2.0, 2.02, 2.05, 2.08)
    lines = [
        make(FleetSpec(seed=s, lines=1, cadence=900, length=4 * DAY, blocks=((start * DAY, 1e9),)))
        for s, start in enumerate(starts)
    ]
    rows = lines[0]
    for more in lines[1:]:
        rows = joined(rows, more)
    assert trace(rows)[3].max() > trace(lines[0])[3].max() + 3


def test_line_that_never_succeeded_says_nothing() -> None:
    """A probe that has failed since it was switched on does not raise the score."""
    _, score = scores(FleetSpec(lines=1, cadence=600, length=2 * DAY, blocks=((-1.0, 1e9),)))
    assert score.max() < -5


def test_controls_that_pass_tell_a_block_from_an_outage_within_few_rows() -> None:
    """Two rounds of failures beside passing controls alarm; without controls the same rows may be an outage's."""
    rows = make(FleetSpec(cadence=600, length=3 * DAY, lines=4, blocks=((2 * DAY, 1e9),)))
    soon = (BASE + 2 * DAY * 1000, BASE + (2 * DAY + 1300) * 1000)
    seen, unknown = (
        trace(replace(rows, control=np.full(rows.at.size, control, np.int8)))[1:4:2] for control in (OK, UNKNOWN)
    )
    early = [score[(at >= soon[0]) & (at < soon[1])].max() for at, score in (seen, unknown)]
    assert early[0] > 1.5
    assert early[1] < 1.2

"""The sequential test: it uses only earlier rows, and rises for blocks alone."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from aggregator.inference.model.sequential_detector import trace
from aggregator.inference.rows.rows import OK, UNKNOWN, Rows
from tests.support.measured_fleet import BASE, FleetSpec, make

DAY = 86400.0


def picked(rows: Rows, chosen: np.ndarray) -> Rows:
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


def scores(spec: FleetSpec) -> tuple[np.ndarray, np.ndarray]:
    """Seconds from BASE, and the score after each row."""
    _, at, _, score = trace(make(spec))
    return (at - BASE) / 1000, score


def test_scores_of_the_first_rows_do_not_depend_on_what_follows() -> None:
    """Neither later rows nor lines that join later, under names that sort first, change an earlier score."""
    first = make(
        FleetSpec(seed=3, cadence=900, length=3 * DAY, flaky=(2,), outage=(DAY, 1.2 * DAY), blocks=((2 * DAY, 1e9),))
    )
    later = make(FleetSpec(seed=4, cadence=600, length=3 * DAY, lines=8, skew={1: -5000.0}))
    both = joined(first, picked(later, later.received > BASE + 1.5 * DAY * 1000))
    received, _, _, whole = trace(both)
    for until in (DAY * 1.1, 1.6 * DAY, 2.3 * DAY):
        cut = BASE + int(until * 1000)
        prefix = trace(picked(both, both.received <= cut))[3]
        assert prefix.tolist() == whole[received <= cut].tolist()


def test_one_line_levels_off() -> None:
    """However long one line fails alone, the score stays below even odds."""
    _, score = scores(FleetSpec(cadence=600, length=8 * DAY, blocks=((2 * DAY, 1e9),), spared=(1, 2)))
    assert score.max() < 0


def test_two_lines_that_switch_days_apart_are_no_block() -> None:
    """Two private changes a day apart score far lower than two lines that change together."""
    lines = [
        make(FleetSpec(seed=s, lines=1, cadence=600, length=5 * DAY, blocks=((start * DAY, 1e9),)))
        for s, start in ((1, 2.0), (2, 3.0))
    ]
    separate = trace(joined(*lines))[3]
    _, together = scores(FleetSpec(lines=2, cadence=600, length=5 * DAY, blocks=((2 * DAY, 1e9),)))
    assert separate.max() < together.max() - 2


def test_block_after_an_outage_is_seen() -> None:
    """A block that begins hours after an outage raises the score."""
    spec = FleetSpec(cadence=600, length=5 * DAY, outage=(2 * DAY, 2.2 * DAY), blocks=((2.4 * DAY, 1e9),))
    at, score = scores(spec)
    before, first = score[at < 2.4 * DAY].max(), int(np.searchsorted(at, 2.4 * DAY))
    assert score[first : first + 20].max() > before + 1


def test_score_does_not_rise_when_an_outage_ends() -> None:
    """Successes after an outage are no evidence of a block."""
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


def test_line_that_never_succeeded_does_not_raise_the_score() -> None:
    """A single line that has always failed does not raise the score."""
    _, score = scores(FleetSpec(lines=1, cadence=600, length=2 * DAY, blocks=((-1.0, 1e9),)))
    assert score.max() < -5


def test_controls_that_pass_tell_a_block_from_an_outage_within_few_rows() -> None:
    """Two rounds of failures beside passing controls score high; without controls they may be an outage."""
    rows = make(FleetSpec(cadence=600, length=3 * DAY, lines=4, blocks=((2 * DAY, 1e9),)))
    soon = (BASE + 2 * DAY * 1000, BASE + (2 * DAY + 1300) * 1000)
    passed, unknown = (
        trace(replace(rows, control=np.full(rows.at.size, control, np.int8)))[1:4:2] for control in (OK, UNKNOWN)
    )
    early = [score[(at >= soon[0]) & (at < soon[1])].max() for at, score in (passed, unknown)]
    assert early[0] > 1.5
    assert early[1] < 1.2


def test_score_rises_within_a_few_rows_of_a_block() -> None:
    """If three lines fail together, the score exceeds all earlier scores within ten rows."""
    at, score = scores(FleetSpec(cadence=600, length=4 * DAY, blocks=((2 * DAY, 1e9),)))
    first = int(np.searchsorted(at, 2 * DAY))
    assert score[first : first + 10].max() > score[:first].max() + 2


def test_one_bad_line_does_not_raise_the_score() -> None:
    """One line of three that begins to fail scores lower than two lines."""
    _, alone = scores(FleetSpec(cadence=600, length=4 * DAY, blocks=((2 * DAY, 1e9),), spared=(1, 2)))
    _, two = scores(FleetSpec(cadence=600, length=4 * DAY, blocks=((2 * DAY, 1e9),), spared=(2,)))
    assert two.max() > alone.max() + 1


def test_outage_with_failing_controls_does_not_raise_the_score() -> None:
    """Failures while controls fail hardly count."""
    _, outage = scores(FleetSpec(cadence=600, length=4 * DAY, outage=(2 * DAY, 2.3 * DAY)))
    _, block = scores(FleetSpec(cadence=600, length=4 * DAY, blocks=((2 * DAY, 2.3 * DAY),)))
    assert outage.max() < block.max() - 4

"""Common causes, silence, compliance and the sequential test."""

from __future__ import annotations

import numpy as np
import pytest

from aggregator.inference import curve
from aggregator.inference.answer import common_cause, silence
from aggregator.inference.model import sequential_test
from aggregator.inference.onset import analyse, infer
from aggregator.inference.rows.parameters import DateSpan, Parameters
from tests.support.measured_fleet import BASE, FleetSpec, make

DAY = 86400.0
TEN = Parameters(cadence_s=600)


def answers(*onsets: float) -> list[common_cause.Answer]:
    """One answer for each onset, providers named by number."""
    import msgspec

    mades = [FleetSpec(seed=i, cadence=600, length=4 * DAY, blocks=((t, 1e9),)) for i, t in enumerate(onsets)]
    found = [infer(make(made), TEN) for made in mades]
    return [msgspec.structs.replace(a, provider=str(i)) for i, a in enumerate(found)]


def test_providers_that_change_together_are_marked() -> None:
    """Two onsets within a cadence may have one cause; a third, later, has its own."""
    marked = common_cause.marked(answers(DAY, DAY + 200, 3 * DAY), [600_000] * 3, {})
    assert [common_cause.REASON in a.reasons for a in marked] == [True, True, False]


def test_shared_upstream_is_marked() -> None:
    """Two blocked providers behind one transit are marked though they changed days apart."""
    marked = common_cause.marked(answers(DAY, 3 * DAY), [600_000] * 2, {"0": ("gateway",), "1": ("gateway",)})
    assert all(common_cause.REASON in a.reasons for a in marked)


def test_falling_silent_together_is_told() -> None:
    """Probes that all stop at once are a silence, and neither ok nor a block."""
    rows = make(FleetSpec(cadence=600, length=4 * DAY, dark=(2 * DAY, 3 * DAY)))
    (told,) = silence.silences(rows, 600_000, None)
    assert told.startswith("silence: 3 probes")
    assert infer(rows, TEN).state == "reachable"


def test_silence_that_lasts_needs_an_end() -> None:
    """Only with `end_ms` can it be said that nobody has reported since."""
    rows = make(FleetSpec(cadence=600, length=2 * DAY))
    assert not silence.silences(rows, 600_000, None)
    (told,) = silence.silences(rows, 600_000, BASE + round(3 * DAY * 1000))
    assert "together since" in told


def test_nights_are_no_silence() -> None:
    """Probes that sleep every night at the same hours are no signal."""
    rows = make(FleetSpec(cadence=600, length=5 * DAY))
    hour = (rows.at // 3_600_000) % 24
    from aggregator.inference.sensitivity import picked

    assert not silence.silences(picked(rows, hour >= 7), 600_000, None)


def test_compliance_gives_each_reading_and_a_range_of_lags() -> None:
    """An onset within a day: not before it began, surely by its end; the lag from a day is a range."""
    start = BASE // 86_400_000 * 86_400_000 + 86_400_000
    rows = make(FleetSpec(cadence=600, length=4 * DAY, blocks=(((start - BASE) / 1000 + DAY / 2, 1e9),)))
    spans = (
        DateSpan("issued", "a day", start - 86_400_000, start),
        DateSpan("block_by", "the next", start, start + 86_400_000),
    )
    told = infer(rows, Parameters(cadence_s=600, dates=spans)).compliance
    assert told is not None
    assert told.lag_s is not None
    assert told.lag_s.estimate is not None
    before, by = told.dates[1].readings
    assert before.p == pytest.approx(0, abs=0.01)
    assert by.p == pytest.approx(1, abs=0.01)
    low, high = told.lag_s.estimate
    assert high - low == pytest.approx(DAY)


def test_curve_has_a_band() -> None:
    """Three of four providers complied by the end; the band holds the share and rises with it."""
    blocks = [((DAY, 1e9),), ((2 * DAY, 1e9),), ((3 * DAY, 1e9),), ()]
    found = [analyse(make(FleetSpec(seed=i, cadence=600, length=4 * DAY, blocks=b)), TEN) for i, b in enumerate(blocks)]
    (drawn,) = curve.curves(found, ())
    shares = [point["share"] for point in drawn["curve"]]  # type: ignore[attr-defined]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(0.75, abs=0.02)
    assert all(p["low"] <= p["share"] + 0.13 and p["share"] - 0.13 <= p["high"] for p in drawn["curve"])  # type: ignore[attr-defined]


def scores(made: FleetSpec) -> tuple[np.ndarray, np.ndarray]:
    """Seconds from BASE, and the score after each row."""
    _, at, _, score = sequential_test.trace(make(made))
    return (at - BASE) / 1000, score


def test_score_rises_within_a_few_rows_of_a_block() -> None:
    """Three lines that fail together raise the score over all that came before within ten rows."""
    at, score = scores(FleetSpec(cadence=600, length=4 * DAY, blocks=((2 * DAY, 1e9),)))
    first = int(np.searchsorted(at, 2 * DAY))
    assert score[first : first + 10].max() > score[:first].max() + 2


def test_one_bad_line_does_not_raise_the_score() -> None:
    """A line of three that goes bad stays below what two lines make."""
    _, alone = scores(FleetSpec(cadence=600, length=4 * DAY, blocks=((2 * DAY, 1e9),), spared=(1, 2)))
    _, two = scores(FleetSpec(cadence=600, length=4 * DAY, blocks=((2 * DAY, 1e9),), spared=(2,)))
    assert two.max() > alone.max() + 1


def test_outage_with_failing_controls_does_not_raise_the_score() -> None:
    """Failures while controls fail count for nothing online, too."""
    _, outage = scores(FleetSpec(cadence=600, length=4 * DAY, outage=(2 * DAY, 2.3 * DAY)))
    _, block = scores(FleetSpec(cadence=600, length=4 * DAY, blocks=((2 * DAY, 2.3 * DAY),)))
    assert outage.max() < block.max() - 4

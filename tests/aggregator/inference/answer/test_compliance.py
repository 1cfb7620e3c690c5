"""The onset against the dates of an order."""

from __future__ import annotations

import pytest

from aggregator.inference.onset import infer
from aggregator.inference.rows.parameters import DateSpan, Parameters
from tests.support.measured_fleet import BASE, FleetSpec, make

DAY = 86400.0


def test_compliance_gives_each_reading_and_a_range_of_lags() -> None:
    """An onset within a day: not before it began, surely by its end; the lag from a day is a range."""
    start = BASE // 86_400_000 * 86_400_000 + 86_400_000
    rows = make(FleetSpec(cadence=600, length=4 * DAY, blocks=(((start - BASE) / 1000 + DAY / 2, 1e9),)))
    spans = (
        DateSpan("issued", "a day", start - 86_400_000, start),
        DateSpan("block_by", "the next", start, start + 86_400_000),
    )
    compliance = infer(rows, Parameters(cadence_s=600, dates=spans)).compliance
    assert compliance is not None
    assert compliance.lag_s is not None
    assert compliance.lag_s.estimate is not None
    before, by = compliance.dates[1].readings
    assert before.p == pytest.approx(0, abs=0.01)
    assert by.p == pytest.approx(1, abs=0.01)
    low, high = compliance.lag_s.estimate
    assert high - low == pytest.approx(DAY)

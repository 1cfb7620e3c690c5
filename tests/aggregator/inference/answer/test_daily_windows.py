"""Blocks at the same hours of the day."""

from __future__ import annotations

import pytest

from aggregator.inference.onset import infer
from aggregator.inference.rows.parameters import Parameters
from tests.support.measured_fleet import BASE, FleetSpec, make

HOUR, DAY = 3600.0, 86400.0
MIDNIGHT = DAY - BASE / 1000 % DAY
"""Seconds from BASE to the first midnight, UTC."""


@pytest.mark.parametrize(("timezone", "windows"), [("UTC", ("07:00", "10:00")), ("Africa/Nairobi", ("10:00", "13:00"))])
def test_daily_windows_are_a_schedule(timezone: str, windows: tuple[str, str]) -> None:
    """Blocks at the same hours on several days are scheduled, with hours in the watch's time zone."""
    days = [MIDNIGHT + d * DAY for d in range(1, 6)]
    blocks = tuple(w for d in days for w in ((d + 7 * HOUR, d + 10 * HOUR), (d + 13 * HOUR, d + 16 * HOUR)))
    rows = make(FleetSpec(cadence=600, length=8 * DAY, blocks=blocks))
    answer = infer(rows, Parameters(cadence_s=600, lag_s=60, timezone=timezone))
    assert answer.pattern == "scheduled"
    assert len(answer.episodes) == 10
    assert answer.schedule is not None
    first = answer.schedule.windows[0]
    assert (first.start, first.end, first.days) == (*windows, 5)

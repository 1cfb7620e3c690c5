"""Times and probabilities as texts for people."""

import datetime as dt
import zoneinfo

import pytest

from dashboard import times
from dashboard.shapes import IntervalView


def _interval(earliest, latest):
    return IntervalView(earliest=earliest, latest=latest, estimate=latest)


@pytest.mark.parametrize(
    ("interval", "ends"),
    [
        (("2026-05-01T10:00:23.300Z", "2026-05-01T10:00:25.900Z"), ("10:00:23", "10:00:25")),
        (("2026-05-01T09:00:00.000Z", "2026-05-01T10:00:00.000Z"), ("09:00", "10:00")),
        (("2026-04-30T23:00:00.000Z", "2026-05-01T10:00:00.000Z"), ("30 Apr 23:00", "1 May 10:00")),
        ((None, "2026-05-01T10:00:25.900Z"), ("", "10:00:25")),
    ],
)
def test_the_ends_of_an_interval_are_as_precise_as_it_is(interval, ends):
    """With seconds if it is short, with days if it spans two, without a beginning if it has none."""
    assert times.ends(_interval(*interval)) == ends


@pytest.mark.parametrize(
    ("zone", "name"),
    [("Etc/GMT-4", "UTC+4"), ("Asia/Kolkata", "UTC+5:30"), ("America/St_Johns", "UTC-2:30"), ("UTC", "UTC")],
)
def test_a_zone_is_named_by_its_offset(zone, name):
    """The offset is that of the day, with half hours and summer time."""
    assert times.zone_name(zoneinfo.ZoneInfo(zone), dt.datetime(2026, 7, 1, tzinfo=dt.UTC)) == name


def test_times_are_converted_without_loss():
    """To milliseconds and back gives the same text."""
    assert times.text(times.ms("2026-05-01T10:00:23.007Z")) == "2026-05-01T10:00:23.007Z"


@pytest.mark.parametrize(("p", "shown"), [(0.9999, "> 0.99"), (0.97, "0.97"), (0.002, "< 0.01")])
def test_a_probability_is_never_shown_as_0_or_1(p, shown):
    """Two decimals at most."""
    assert times.probability(p) == shown

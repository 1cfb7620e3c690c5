"""Times as text, and dates, in UTC."""

import datetime as dt

import pytest

from probe.base import times

MS = 1_748_209_200_123


def test_a_time_has_a_text_for_machines_and_one_for_people():
    """RFC 3339 with milliseconds, and a date with minutes."""
    assert times.text(MS) == "2025-05-25T21:40:00.123Z"
    assert times.readable(MS) == "2025-05-25 21:40 UTC"
    assert times.day(MS) == dt.date(2025, 5, 25)
    assert times.milliseconds(times.moment(times.text(MS))) == MS


def test_a_text_without_a_time_zone_is_refused():
    """It could mean any of 24 hours."""
    with pytest.raises(ValueError, match="time zone"):
        times.moment("2025-05-25T21:40:00")

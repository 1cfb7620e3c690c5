"""Times, time zones, durations and probabilities as texts for people, and conversions of the API's times."""

from __future__ import annotations

import datetime as dt
import zoneinfo

from dashboard.shapes import IntervalView, WatchView

_SHORT = dt.timedelta(minutes=5)


def moment(rfc3339: str) -> dt.datetime:
    """An RFC 3339 text of the API as an aware datetime in UTC."""
    return dt.datetime.fromisoformat(rfc3339).astimezone(dt.UTC)


def text(at_ms: int) -> str:
    """Milliseconds since the epoch as an RFC 3339 text for the API."""
    at = dt.datetime.fromtimestamp(at_ms // 1000, dt.UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def ms(rfc3339: str) -> int:
    """An RFC 3339 text of the API as milliseconds since the epoch."""
    return (moment(rfc3339) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)


def width(interval: IntervalView) -> dt.timedelta:
    """How long an interval is; 0 for one without a beginning."""
    if interval.earliest is None:
        return dt.timedelta(0)
    return moment(interval.latest) - moment(interval.earliest)


def clock(at: dt.datetime, precision: dt.timedelta, *, day: bool = True) -> str:
    """`21 Nov 10:00:24`, without the seconds if `precision` is five minutes or more, and without the day on request."""
    time = f"{at:%H:%M:%S}" if precision < _SHORT else f"{at:%H:%M}"
    return f"{at.day} {at:%b} {time}" if day else time


def ends(interval: IntervalView) -> tuple[str, str]:
    """Both ends of an interval in UTC, with the days if they differ; "" for a missing beginning."""
    precision, end = width(interval), moment(interval.latest)
    if interval.earliest is None:
        return "", clock(end, precision, day=False)
    start = moment(interval.earliest)
    days = start.date() != end.date()
    return clock(start, precision, day=days), clock(end, precision, day=days)


def probability(p: float) -> str:
    """A probability with two decimals, never given as 0 or 1: `0.97`, `> 0.99`, `< 0.01`."""
    if p > 0.99:
        return "> 0.99"
    return "< 0.01" if p < 0.01 else f"{p:.2f}"


def duration(seconds: float) -> str:
    """A duration: `90 s`, and in minutes from two minutes on."""
    return f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:.3g} min"


def zone(watch: WatchView) -> zoneinfo.ZoneInfo:
    """The country's time zone."""
    return zoneinfo.ZoneInfo(watch.timezone)


def offset(zone: dt.tzinfo, at: dt.datetime) -> dt.timedelta:
    """How far the zone is ahead of UTC at a time."""
    return at.astimezone(zone).utcoffset() or dt.timedelta(0)


def zone_name(zone: dt.tzinfo, at: dt.datetime) -> str:
    """The zone's offset at a time as a text: `UTC+7`, `UTC-3:30`, `UTC`."""
    ahead = offset(zone, at)
    hours, minutes = divmod(abs(ahead) // dt.timedelta(minutes=1), 60)
    if not ahead:
        return "UTC"
    return f"UTC{'+' if ahead > dt.timedelta(0) else '-'}{hours}" + (f":{minutes:02d}" if minutes else "")

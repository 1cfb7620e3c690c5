"""Times for people: UTC first, the country's own beside."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any

_SHORT = dt.timedelta(minutes=5)


def moment(rfc3339: str) -> dt.datetime:
    """The API's text as an aware datetime in UTC."""
    return dt.datetime.fromisoformat(rfc3339).astimezone(dt.UTC)


def text(at_ms: int) -> str:
    """Milliseconds since the epoch as the API reads them."""
    at = dt.datetime.fromtimestamp(at_ms // 1000, dt.UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def ms(rfc3339: str) -> int:
    """The API's text as milliseconds since the epoch."""
    return (moment(rfc3339) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)


def width(interval: dict[str, Any]) -> dt.timedelta:
    """How long an interval is; one that is open to the past has no width."""
    if interval["earliest"] is None:
        return dt.timedelta(0)
    return moment(interval["latest"]) - moment(interval["earliest"])


def clock(at: dt.datetime, precision: dt.timedelta, *, day: bool = True) -> str:
    """`21 Nov 10:00:24`, without seconds where `precision` doesn't support them."""
    time = f"{at:%H:%M:%S}" if precision < _SHORT else f"{at:%H:%M}"
    return f"{at.day} {at:%b} {time}" if day else time


def ends(interval: dict[str, Any]) -> tuple[str, str]:
    """Both ends of an interval in UTC, the day told only where they don't share it; "" where it is open."""
    wide, end = width(interval), moment(interval["latest"])
    if interval["earliest"] is None:
        return "", clock(end, wide, day=False)
    start = moment(interval["earliest"])
    days = start.date() != end.date()
    return clock(start, wide, day=days), clock(end, wide, day=days)


def chance(p: float) -> str:
    """A probability with no more nines than two digits hold."""
    if p > 0.99:
        return "> 0.99"
    return "< 0.01" if p < 0.01 else f"{p:.2f}"


def zone(watch: dict[str, Any]) -> zoneinfo.ZoneInfo:
    """The country's time zone."""
    return zoneinfo.ZoneInfo(watch["timezone"])


def offset(zone: dt.tzinfo, at: dt.datetime) -> dt.timedelta:
    """How far the zone's clocks are ahead of UTC then."""
    return at.astimezone(zone).utcoffset() or dt.timedelta(0)


def zone_name(zone: dt.tzinfo, at: dt.datetime) -> str:
    """The zone as an offset at a time: `UTC+7`, `UTC-3:30`, `UTC`."""
    ahead = offset(zone, at)
    hours, minutes = divmod(abs(ahead) // dt.timedelta(minutes=1), 60)
    if not ahead:
        return "UTC"
    return f"UTC{'+' if ahead > dt.timedelta(0) else '-'}{hours}" + (f":{minutes:02d}" if minutes else "")

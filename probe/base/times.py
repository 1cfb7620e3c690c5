"""Times where they enter and leave: integer milliseconds since the epoch inside, RFC 3339 UTC outside."""

from __future__ import annotations

import datetime as dt

FOREVER = 9_999_999_999_999
"""Later than any time in the store (in the year 2286): the `as_of` of a read that wants all that is known."""


def text(ms: int) -> str:
    """Milliseconds since the epoch as RFC 3339 UTC, `2025-05-25T21:40:00.000Z`."""
    at = dt.datetime.fromtimestamp(ms // 1000, dt.UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def readable(ms: int) -> str:
    """Milliseconds since the epoch for people, to the minute: `2025-05-25 21:40 UTC`."""
    return f"{dt.datetime.fromtimestamp(ms / 1000, dt.UTC):%Y-%m-%d %H:%M UTC}"


def day(ms: int) -> dt.date:
    """The UTC date of milliseconds since the epoch."""
    return dt.datetime.fromtimestamp(ms / 1000, dt.UTC).date()


def today() -> dt.date:
    """The UTC date now, by this machine's clock."""
    return dt.datetime.now(dt.UTC).date()


def milliseconds(at: dt.datetime) -> int:
    """An aware datetime as milliseconds since the epoch, cut to the millisecond."""
    return (at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)


def moment(rfc3339: str) -> dt.datetime:
    """RFC 3339 text as an aware datetime in UTC. Raises ValueError for anything else."""
    at = dt.datetime.fromisoformat(rfc3339)
    if at.tzinfo is None:
        raise ValueError(f"{rfc3339!r} names no time zone")
    return at.astimezone(dt.UTC)

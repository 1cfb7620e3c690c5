"""The columns of a file of measurements: the values that each may hold, and the errors for other values."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from aggregator.inference.rows.rows import FAIL, INCONCLUSIVE, OK, UNKNOWN

REQUIRED = ("provider", "probe", "at", "outcome")
OPTIONAL = (
    "watch", "surface", "line", "received", "failure", "method", "share_failed", "speed", "control", "reference",
)  # fmt: skip
EARLIEST, LATEST = (dt.datetime(year, 1, 1, tzinfo=dt.UTC).timestamp() for year in (2000, 2100))
"""Times outside, s since 1970, are rejected: an unset clock's 1970, or milliseconds where seconds are meant."""
LONGEST = 200
"""Characters in a text, at most."""
_OUTCOMES = {"ok": OK, "fail": FAIL, "inconclusive": INCONCLUSIVE}
_STATES = {"ok": OK, "fail": FAIL, "": UNKNOWN}


class FieldError(ValueError):
    """A value that its column can't hold; `column` is the column's name."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column


class FileRow(NamedTuple):
    """One measurement, coded as in `Rows`; times in ms since the epoch. `received` is `at` where the file has none."""

    watch: str
    provider: str
    surface: str
    probe: str
    line: str
    at: int
    received: int
    outcome: int
    method: str
    share_failed: float
    speed: float
    control: int
    reference: int


def row(values: Mapping[str, Any]) -> FileRow:
    """One row of a file from its values by column. Raises FieldError for the first that is wrong."""
    probe = _name(values, "probe")
    at = _time(values, "at")
    return FileRow(
        watch=_text(values, "watch"),
        provider=_name(values, "provider"),
        surface=_text(values, "surface"),
        probe=probe,
        line=_text(values, "line") or probe,
        at=at,
        received=at if _empty(values.get("received")) else _time(values, "received"),
        outcome=_choice(values, "outcome", _OUTCOMES),
        method=_text(values, "method"),
        share_failed=_number(values, "share_failed", 1.0),
        speed=_number(values, "speed", math.inf),
        control=_choice(values, "control", _STATES),
        reference=_choice(values, "reference", _STATES),
    )


def time_ms(value: Any) -> int:
    """RFC 3339 text, or seconds since the epoch, as ms since the epoch. Raises ValueError."""
    seconds = _seconds(value)
    if not EARLIEST <= seconds < LATEST:
        raise ValueError(f"{value!r} is not between the years 2000 and 2100 (give RFC 3339, or seconds since 1970)")
    return round(seconds * 1000)


def _seconds(value: Any) -> float:
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).timestamp()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _finite(value, value)
    text = str(value).strip()
    if text[4:5] == "-":
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{value!r} is not a time (give RFC 3339, or seconds since 1970)") from None
        if moment.tzinfo is None:
            raise ValueError(f"{value!r} names no time zone (end it with Z or an offset such as +07:00)")
        return moment.timestamp()
    try:
        return _finite(float(text), value)
    except ValueError:
        raise ValueError(f"{value!r} is not a time (give RFC 3339, or seconds since 1970)") from None


def _finite(number: float, value: Any) -> float:
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a time (give RFC 3339, or seconds since 1970)")
    return float(number)


def _empty(value: Any) -> bool:
    return value is None or value == ""


def _time(values: Mapping[str, Any], column: str) -> int:
    value = values.get(column)
    if _empty(value):
        raise FieldError(column, "is empty; a time is needed")
    try:
        return time_ms(value)
    except ValueError as e:
        raise FieldError(column, str(e)) from None


def _text(values: Mapping[str, Any], column: str) -> str:
    value = values.get(column)
    if value is None:
        return ""
    if not isinstance(value, str):
        if isinstance(value, (dict, list, float, bool)):
            raise FieldError(column, f"{value!r} is not text")
        value = str(value)
    if len(value) > LONGEST:
        raise FieldError(column, f"has {len(value)} characters; {LONGEST} are allowed")
    return value.strip()


def _name(values: Mapping[str, Any], column: str) -> str:
    text = _text(values, column)
    if not text:
        raise FieldError(column, "is empty; every row needs one")
    return text


def _choice(values: Mapping[str, Any], column: str, codes: Mapping[str, int]) -> int:
    value = values.get(column)
    text = value.strip() if isinstance(value, str) else "" if value is None else str(value)
    if text not in codes:
        allowed = ", ".join(repr(k) if k else "empty" for k in codes)
        raise FieldError(column, f"{value!r} is not one of {allowed}")
    return codes[text]


def _number(values: Mapping[str, Any], column: str, most: float) -> float:
    value = values.get(column)
    if _empty(value):
        return math.nan
    try:
        number = float(value)  # type: ignore[arg-type]  # None was empty
    except (TypeError, ValueError):
        raise FieldError(column, f"{value!r} is not a number") from None
    if not math.isfinite(number) or not 0 <= number <= most or isinstance(value, bool):
        raise FieldError(column, f"{value!r} is not " + (f"between 0 and {most:g}" if most < math.inf else "0 or more"))
    return number

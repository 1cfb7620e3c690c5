"""The result of the inference: the shapes that the store, the API and `blockonset infer` share.

Times are RFC 3339 text in UTC with milliseconds; inside the inference they are integer milliseconds since the epoch.
"""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["reachable", "blocked", "lifted", "suspected", "insufficient", "blocked_since_before_start"]
Pattern = Literal["none", "full", "partial", "intermittent", "scheduled", "throttled"]


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A time with its equal-tailed interval of probability `level`, given that there was a change.

    `estimate` is the median. `earliest` or `estimate` null: before the first measurement (left-censored).
    """

    estimate: str | None
    earliest: str | None
    latest: str
    level: float


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """One block: from its onset to its lift, null while it lasts."""

    onset: Interval
    lift: Interval | None


class DateReading(msgspec.Struct, frozen=True, kw_only=True):
    """The probability of an onset by one instant that a date of the directive can mean."""

    by: str
    """The instant, itself outside."""
    p: float
    """The least probability of an onset by then."""
    p_at_most: float
    """The greatest. It differs from `p` only where `by` lies before the first row, with the onset perhaps before it."""


class DateCompliance(msgspec.Struct, frozen=True, kw_only=True):
    """One date of the directive, and how probable an onset by then is."""

    kind: str
    """`issued`, `report_by` or `block_by`."""
    value: str
    """As it was written."""
    readings: tuple[DateReading, ...]
    """One for an instant. Two for a date known to the day: by its beginning, and by its end."""


class LagRange(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from the order to the onset, over all that the order's date and the onset's interval can mean.

    Negative where the onset came first.
    """

    earliest: float | None
    """From the order's latest instant to the interval's earliest; null where measuring began after the onset."""
    estimate: tuple[float, float] | None
    """To the interval's estimate: from the order's latest instant, and from its earliest."""
    latest: float
    """From the order's earliest instant to the interval's latest."""


class Compliance(msgspec.Struct, frozen=True, kw_only=True):
    """The onset's posterior compared with the dates of the directive."""

    dates: tuple[DateCompliance, ...]
    lag_s: LagRange | None
    """Null without an onset or without a date of the order."""
    p_never: float
    """The probability that there was no block in the window."""


class DailyWindow(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """Hours of the day in which the service is blocked, as `HH:MM` to five minutes."""

    start: str
    end: str
    days: int
    """Days on which it was."""


class BlockSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """The daily windows that all blocks fall into."""

    windows: tuple[DailyWindow, ...]
    weekdays: tuple[str, ...]
    """`Mon` to `Sun`: those on which a block began."""
    timezone: str
    """IANA name. Hours and days are its."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """When one surface of a service stopped working on one provider, and how sure that is.

    The words state an effect that was measured, never an intent. `reasons` say why the answer is not more certain, and
    what was left out or corrected.
    """

    watch: str
    provider: str
    surface: str
    state: State
    pattern: Pattern
    p_block: float
    """The probability of any block in the window."""
    onset: Interval | None
    lift: Interval | None
    episodes: tuple[Episode, ...]
    last_ok: str | None
    """The bracket: the first failure that the onset explains (`first_fail`), and the last success before it."""
    first_fail: str | None
    share_affected: float | None
    """The mean over the lines with runs inside the block of the probability that it affects them."""
    method: str
    """The most frequent method of the failures inside the block; "" where there is none."""
    measurements: int
    """All rows."""
    used: int
    """Rows that were not left out."""
    probes: int
    lines: int
    """Independent lines; all unknown ones together count as one."""
    model: str
    """The model's version."""
    input_digest: str
    reasons: tuple[str, ...]
    compliance: Compliance | None = None
    """Null without dates, or where the state is `insufficient`."""
    schedule: BlockSchedule | None = None
    """Null where the blocks follow no daily hours."""

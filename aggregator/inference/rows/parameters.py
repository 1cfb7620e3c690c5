"""What an answer depends on besides its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class DateSpan:
    """One date of a directive: the earliest and the latest instant that it can mean, ms since the epoch."""

    kind: str
    """`issued`, `report_by` or `block_by`."""
    value: str
    """As it was written."""
    earliest_ms: int
    latest_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What an answer depends on besides its rows. Seconds, or milliseconds since the epoch where `_ms` is said."""

    cadence_s: float | None = None
    """Probing interval; None: per probe the median gap between distinct `at`."""
    lag_s: float = 1200.0
    """Mean of the exponential delay with which caches let a probe see a block."""
    prior: float | None = None
    """Prior probability of a block in the window; None: the model's own."""
    level: float = 0.95
    start_ms: int | None = None
    end_ms: int | None = None
    """The window; None: the first and last `at` used."""
    order_ms: tuple[int, int] | None = None
    """The earliest and latest instant that the order's date can mean."""
    dates: tuple[DateSpan, ...] = ()
    """The directive's dates, for the compliance; empty: the order's alone, where it is given."""
    timezone: str = "UTC"
    """In which a schedule's hours are told."""

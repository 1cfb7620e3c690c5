"""What an answer depends on besides its rows.

The input digest covers the repr of these classes: renaming a class or a field changes every digest.
"""

from __future__ import annotations

from dataclasses import dataclass


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
    """The parameters of one answer. `_s` fields are seconds, `_ms` fields milliseconds since the epoch."""

    cadence_s: float | None = None
    """Probing interval; None: per probe the median gap between distinct `at`."""
    lag_s: float = 1200.0
    """Mean of the exponential delay with which a line sees a block, because resolvers cache earlier answers."""
    prior: float | None = None
    """Prior probability of a block in the window; None: `priors.PRIOR`."""
    level: float = 0.95
    """Probability of the intervals."""
    start_ms: int | None = None
    end_ms: int | None = None
    """The window; None: the first and last `at` used."""
    order_ms: tuple[int, int] | None = None
    """The earliest and latest instant that the order's date can mean."""
    dates: tuple[DateSpan, ...] = ()
    """The directive's dates, for the compliance; empty: only the order's date, where it is given."""
    timezone: str = "UTC"
    """IANA name of the time zone in which a schedule's hours are given."""

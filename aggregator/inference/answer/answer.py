"""What goes into the inference and what comes out: the shapes that the store, the API and `blockonset infer` share.

Times are integer milliseconds since the epoch inside; `Answer` carries RFC 3339 UTC text with milliseconds.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

State = Literal["reachable", "blocked", "lifted", "suspected", "insufficient", "blocked_since_before_start"]
Pattern = Literal["none", "full", "partial", "intermittent", "scheduled", "throttled"]

OK, FAIL, INCONCLUSIVE = 0, 1, 2
"""Codes of `Rows.outcome`; `Rows.control` and `Rows.reference` use OK, FAIL and UNKNOWN."""
UNKNOWN = 2


Coded = tuple[tuple[str, ...], npt.NDArray[np.int64]]
"""Distinct names, sorted, and each row's index among them."""


def coded(names: npt.NDArray[np.str_]) -> Coded:
    """The sorted distinct names, and each row's index among them."""
    distinct = np.unique(names)
    return tuple(distinct.tolist()), np.searchsorted(distinct, names).astype(np.int64)


@dataclass(frozen=True)
class Rows:
    """The rows of one (watch, provider, surface), one per run, as equal-length columns in any order.

    `probe` and `line` are text; `at` and `received` int64 milliseconds (`received` = -1 where it isn't known);
    `outcome`, `control`, `reference` int8 codes; `method` text ("" for none); `share_failed` and `speed` float64,
    NaN where not measured.
    """

    watch: str
    provider: str
    surface: str
    probe: npt.NDArray[np.str_]
    line: npt.NDArray[np.str_]
    at: npt.NDArray[np.int64]
    received: npt.NDArray[np.int64]
    outcome: npt.NDArray[np.int8]
    method: npt.NDArray[np.str_]
    share_failed: npt.NDArray[np.float64]
    speed: npt.NDArray[np.float64]
    control: npt.NDArray[np.int8]
    reference: npt.NDArray[np.int8]

    @functools.cached_property
    def probes(self) -> Coded:
        """`probe`, coded."""
        return coded(self.probe)

    @functools.cached_property
    def lines(self) -> Coded:
        """`line`, coded."""
        return coded(self.line)

    @functools.cached_property
    def methods(self) -> Coded:
        """`method`, coded."""
        return coded(self.method)


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


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A time with its equal-tailed interval, given that there was a change. `earliest` null: left-censored."""

    estimate: str | None
    earliest: str | None
    latest: str
    level: float


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """One block: from its onset to its lift, null while it lasts."""

    onset: Interval
    lift: Interval | None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """When one surface of a service stopped working on one provider, and how sure that is.

    The words state an effect that was measured, never an intent.
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
    """The last success before the first failure that the onset explains, and that failure: the bracket."""
    first_fail: str | None
    share_affected: float | None
    method: str
    """The method seen most often inside the block; "" where there is none."""
    measurements: int
    used: int
    probes: int
    lines: int
    model: str
    input_digest: str
    reasons: tuple[str, ...]
    compliance: dict[str, object] | None = None
    schedule: dict[str, object] | None = None

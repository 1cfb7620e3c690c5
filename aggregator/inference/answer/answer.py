"""What goes into the inference and what comes out: the shapes that the store, the API and `blockonset infer` share.

Times are integer milliseconds since the epoch inside; `Answer` carries RFC 3339 UTC text with milliseconds.
"""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["reachable", "blocked", "lifted", "suspected", "insufficient", "blocked_since_before_start"]
Pattern = Literal["none", "full", "partial", "intermittent", "scheduled", "throttled"]


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

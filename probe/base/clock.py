"""This machine's clocks: the wall clock, and the monotonic clock of a run."""

from __future__ import annotations

import math
import time


class Clock:
    """Milliseconds since this object was made, by the monotonic clock: setting the wall clock does not affect it.

    `lasts_s` is how long the run may take in all, in seconds. `zero` is the `zero` of a clock in another process of
    this machine, with which this one then agrees: `time.monotonic` is the same for both.
    """

    def __init__(self, lasts_s: float = math.inf, *, zero: float | None = None) -> None:
        self.zero = time.monotonic() if zero is None else zero
        self._end = self.zero + lasts_s

    def __call__(self) -> float:
        """Milliseconds since `zero`, rounded to the microsecond."""
        return round((time.monotonic() - self.zero) * 1000, 3)

    def within(self, limit: float) -> float:
        """How long a step that begins now may take: the lesser of `limit` and what is left of the run, in seconds."""
        return max(0.0, min(limit, self._end - time.monotonic()))


def now_ms() -> int:
    """Milliseconds since the epoch, by this machine's clock."""
    return time.time_ns() // 1_000_000

"""This machine's clocks: the wall clock, and the monotonic clock of a run."""

from __future__ import annotations

import math
import time


class Clock:
    """Milliseconds since this object was made. A wall clock that is set meanwhile does not touch it.

    `lasts_s` is how long the run may take in all, in seconds. `zero` is that of a clock in another process of this
    machine, which `time.monotonic` is the same for.
    """

    def __init__(self, lasts_s: float = math.inf, *, zero: float | None = None) -> None:
        self.zero = time.monotonic() if zero is None else zero
        self._end = self.zero + lasts_s

    def __call__(self) -> float:
        """Milliseconds, to the microsecond."""
        return round((time.monotonic() - self.zero) * 1000, 3)

    def within(self, limit: float) -> float:
        """What a step that begins now may take, in seconds: `limit`, or what is left of the run."""
        return max(0.0, min(limit, self._end - time.monotonic()))


def now_ms() -> int:
    """Milliseconds since the epoch, by this machine's clock."""
    return time.time_ns() // 1_000_000

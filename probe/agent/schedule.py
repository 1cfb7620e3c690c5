"""When the next run begins: at the watch's cadence, with a random deviation each time, and never two at once."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

JITTER = 0.1
"""The largest deviation of a run from its scheduled time, as a share of the cadence."""

FIRST_S = 30.0
"""The first run begins within this time, or within one cadence if that is shorter."""


class Schedule:
    """Scheduled times one cadence apart, from a random start, so that the probes of a fleet do not measure in step.

    Jitter is applied to each scheduled time and does not add up, so that the mean interval is the cadence.
    """

    def __init__(
        self,
        cadence_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`clock` gives seconds that never go back, `chance` a number in [0, 1)."""
        self._cadence_s = cadence_s
        self._clock = clock
        self._chance = chance
        self._scheduled = clock() + chance() * min(cadence_s, FIRST_S)
        self._first = True

    def wait_s(self) -> float:
        """Seconds until the next run begins. Scheduled times that passed during the last run are left out."""
        now = self._clock()
        if self._first:
            self._first = False
            return max(0.0, self._scheduled - now)
        missed = max(0.0, now - self._scheduled) // self._cadence_s
        self._scheduled += (missed + 1) * self._cadence_s
        jitter = (self._chance() * 2 - 1) * JITTER * self._cadence_s
        return max(0.0, self._scheduled + jitter - now)

    def early(self) -> None:
        """Restart the schedule now, because a run begins before its scheduled time."""
        self._scheduled = self._clock()

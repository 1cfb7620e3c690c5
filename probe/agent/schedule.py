"""When the next run begins: at the watch's cadence, each time a little early or late, and never two at once."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

JITTER = 0.1
"""By how much of a cadence a run may begin before or after its turn."""

FIRST_S = 30.0
"""The first run begins within this time, or within a cadence if that is shorter."""


class Schedule:
    """Turns one cadence apart, from a random start: the probes of a fleet do not measure in step.

    The jitter is around the turn, not added up, so that the mean interval is the cadence.
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
        self._turn = clock() + chance() * min(cadence_s, FIRST_S)
        self._first = True

    def wait_s(self) -> float:
        """Seconds until the next run begins; a turn that passed while the last run was under way is left out."""
        now = self._clock()
        if self._first:
            self._first = False
            return max(0.0, self._turn - now)
        missed = max(0.0, now - self._turn) // self._cadence_s
        self._turn += (missed + 1) * self._cadence_s
        jitter = (self._chance() * 2 - 1) * JITTER * self._cadence_s
        return max(0.0, self._turn + jitter - now)

    def early(self) -> None:
        """A run begins now, out of its turn: the turns are counted from here."""
        self._turn = self._clock()

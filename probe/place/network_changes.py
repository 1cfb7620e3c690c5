"""Notices that this machine changed its network or woke from sleep.

The kernel's tables and clocks are read every few seconds; nothing is sent. After a change a run is made early, at a
random moment, so that a block which begins while a laptop travels is observed from the next network at once.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Literal

from probe.place.this_network import current_network

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.place.this_network import NetworkState

EVERY_S = 5.0
_SLEPT_S = 30.0
"""When a clock that runs during sleep has gained this much on one that does not, the machine slept."""
SETTLE_S = (5.0, 20.0)
"""A random wait after a change: a new network needs a moment, and a fleet must not run in step after a power cut."""

ChangeReason = Literal["woke", "network"]


def differs(before: NetworkState, now: NetworkState) -> bool:
    """Whether `now` is another network than `before`, the last one that was seen online.

    Being offline is no other network, so one that goes away and comes back is no change. Neither is a gateway whose
    hardware address is not known yet.
    """
    other_gateway = before.gateway_mac and now.gateway_mac and before.gateway_mac != now.gateway_mac
    return now.is_online and (before.stable_routes != now.stable_routes or bool(other_gateway))


class NetworkChanges:
    """Waits for the next change. Changes between two calls of `wait` are not missed."""

    def __init__(
        self,
        read: Callable[[], NetworkState] = current_network,
        *,
        every_s: float | None = None,
        settle_s: tuple[float, float] | None = None,
        awake_clock: Callable[[], float] = time.monotonic,
        steady_clock: Callable[[], float] | None = None,
    ) -> None:
        """`read` gives the network's present state. Both clocks are in seconds: `awake_clock` stops during sleep."""
        self._read = read
        self._every_s = EVERY_S if every_s is None else every_s
        self._settle_s = SETTLE_S if settle_s is None else settle_s
        self._awake_clock = awake_clock
        self._steady_clock = steady_clock or _steady_seconds
        self._last = read()
        self._is_online = self._last.is_online
        self._asleep_s = self._steady_clock() - self._awake_clock()

    async def wait(self) -> ChangeReason:
        """Return once the network changed or the machine woke, and has since been online and unchanged for a while."""
        reason: ChangeReason | None = None
        while True:
            pause_s = self._every_s if reason is None else random.uniform(*self._settle_s)  # noqa: S311 - no secret
            await asyncio.sleep(pause_s)
            new_reason = self._check()
            if reason is not None and new_reason is None and self._is_online:
                return reason
            reason = new_reason or reason

    def _check(self) -> ChangeReason | None:
        """What changed since the last check."""
        asleep_s = self._steady_clock() - self._awake_clock()
        slept, self._asleep_s = abs(asleep_s - self._asleep_s) > _SLEPT_S, asleep_s
        now = self._read()
        self._is_online = now.is_online
        is_other = differs(self._last, now)
        if is_other or (now.is_online and now.gateway_mac):
            self._last = now
        return "woke" if slept else "network" if is_other else None


def _steady_seconds() -> float:
    """Seconds of a clock that runs during sleep. Where only the wall clock does, setting it counts as a sleep."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.time()

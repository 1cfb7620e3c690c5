"""Notices that this machine has moved: a lid that opened, another network.

The kernel's tables and clocks are looked at every few seconds; nothing is sent. Then a run comes early, at a time of
its own, so that a block which begins while a laptop travels is seen from the next network at once.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import time
from typing import TYPE_CHECKING, Literal, NamedTuple

from probe.place import routes, this_network

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY_S = 5.0
_SLEPT_S = 30.0
"""A clock that goes on while the machine sleeps is ahead by so much: it slept."""
SETTLE_S = (5.0, 20.0)
"""A network that has just come needs a moment, and a fleet in one power cut must not run in step."""

Why = Literal["woke", "network"]


class SeenNetwork(NamedTuple):
    """A network as it is compared: by interface, gateway and our own addresses. It stays in memory."""

    ways: tuple[tuple[str, str, str], ...]
    gateway_mac: str


def look() -> SeenNetwork:
    """The default routes of both IP versions now; no ways where this machine is offline."""
    ways = routes.check_routes((routes.ELSEWHERE, routes.ELSEWHERE6), {}).ways
    at = this_network.here()
    return SeenNetwork(tuple((w.interface, w.gateway, _own(w.source)) for w in ways if w), at.gateway_mac)


def differs(before: SeenNetwork, now: SeenNetwork) -> bool:
    """Whether it is another network. One that goes and comes back is none, nor is a router not heard of yet."""
    other_router = before.gateway_mac and now.gateway_mac and before.gateway_mac != now.gateway_mac
    return bool(now.ways) and (before.ways != now.ways or bool(other_router))


class NetworkChanges:
    """Waits for the next move. Between two calls of `wait` nothing is missed."""

    def __init__(
        self,
        see: Callable[[], SeenNetwork] = look,
        *,
        every_s: float | None = None,
        settle_s: tuple[float, float] | None = None,
        awake: Callable[[], float] = time.monotonic,
        always: Callable[[], float] | None = None,
    ) -> None:
        """`awake` and `always` are clocks in seconds: the first stands still while the machine sleeps."""
        self._see = see
        self._every_s = EVERY_S if every_s is None else every_s
        self._settle_s = SETTLE_S if settle_s is None else settle_s
        self._awake = awake
        self._always = always or _always
        self._seen = see()
        self._online = bool(self._seen.ways)
        self._ahead = self._always() - self._awake()

    async def wait(self) -> Why:
        """Return once this machine has moved, and is settled and online where it is."""
        why: Why | None = None
        while True:
            await asyncio.sleep(self._every_s if why is None else random.uniform(*self._settle_s))  # noqa: S311 - no secret
            again = self._moved()
            if why is not None and again is None and self._online:
                return why
            why = again or why

    def _moved(self) -> Why | None:
        ahead = self._always() - self._awake()
        slept, self._ahead = abs(ahead - self._ahead) > _SLEPT_S, ahead
        now = self._see()
        self._online = bool(now.ways)
        other = differs(self._seen, now)
        if other or (now.ways and now.gateway_mac):
            self._seen = now
        return "woke" if slept else "network" if other else None


def _always() -> float:
    """Seconds that go on while the machine sleeps. A wall clock that is set counts as a sleep: one run comes early."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.time()


def _own(address: str) -> str:
    """Our own address as far as it stays the same on one network: over IPv6 half of it changes daily."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False).network_address)

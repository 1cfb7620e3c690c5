"""Runs out of schedule: one is made early when this machine woke up or changed its network."""

from __future__ import annotations

import asyncio
import time
from collections import deque

import structlog

from probe.base.stopping import stops_within
from probe.place.network_changes import NetworkChanges

log = structlog.get_logger()
EARLY_A_DAY = 24
"""The most early runs in 24 hours."""
LEAST_GAP_S = 120.0
"""The least time between the beginnings of two runs, however often the network changes; or half a cadence if less."""
_DAY_S = 86_400.0


async def watch_network(changed: asyncio.Event) -> None:
    """Set the event at every change, at most `EARLY_A_DAY` times in 24 hours: a flapping network must not cost much."""
    early: deque[float] = deque(maxlen=EARLY_A_DAY)
    changes = NetworkChanges()
    while True:
        reason = await changes.wait()
        now = time.monotonic()
        if len(early) == EARLY_A_DAY and now - early[0] < _DAY_S:
            continue
        early.append(now)
        log.info("measuring early", why={"woke": "this machine woke up", "network": "another network"}[reason])
        changed.set()


async def wait_for_run(stop: asyncio.Event, wait_s: float, network_changed: asyncio.Event) -> bool:
    """Wait until the next run is due, at most `wait_s`. Whether it is due early because the network changed.

    A change is acted on after `LEAST_GAP_S` (half of `wait_s` if less) at the earliest. Ends at once with False when
    `stop` is set.
    """
    least_s = min(LEAST_GAP_S, wait_s / 2)
    if await stops_within(stop, least_s):
        return False
    stopping, changing = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(network_changed.wait())
    try:
        await asyncio.wait({stopping, changing}, timeout=wait_s - least_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        changing.cancel()
        await asyncio.gather(stopping, changing, return_exceptions=True)
    is_early = network_changed.is_set()
    network_changed.clear()
    return is_early

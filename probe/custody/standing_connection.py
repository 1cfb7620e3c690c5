"""A connection to the collector that is kept open, for a lab's fleet and a probe on its aggregator's machine."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from probe.base.disk_thread import call
from probe.base.retry import waits
from probe.base.stopping import stops_within

if TYPE_CHECKING:
    from probe.custody.delivery import Delivery
    from probe.nats.link import NatsLink

_FIRST_PAUSE_S = 0.5


class StandingConnection:
    """Stays connected and delivers at once."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._config = delivery.config

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set; then seal and deliver the rest, for `flush_s` at most."""
        connection = await self._delivery.publisher.connection(self._config.nats)
        tick_s = min(max(min(self._config.seal_s, self._config.receipt_timeout_s) / 4, 0.1), 5.0)
        try:
            await self._delivery.publisher.listen(connection)
            pauses, not_before = waits(_FIRST_PAUSE_S, self._config.reconnect_most_s), 0.0
            while not stop.is_set():
                await self._delivery.seal(self._config.seal_s)
                if time.monotonic() >= not_before:
                    await self._delivery.guarded(self._deliver(connection))
                    not_before = time.monotonic() + next(pauses) if self._delivery.is_failing else 0.0
                    if not self._delivery.is_failing:
                        pauses = waits(_FIRST_PAUSE_S, self._config.reconnect_most_s)
                await stops_within(stop, tick_s)
            await self._flush(connection, tick_s / 4)
        finally:
            await connection.close()
        await self._delivery.log_what_waits()

    async def _flush(self, connection: NatsLink, tick_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._config.flush_s):
                await self._delivery.seal(0.0)
                await self._delivery.guarded(self._deliver(connection))
                while await call(self._delivery.spool.spooled):
                    await asyncio.sleep(tick_s)
                    await self._delivery.guarded(self._deliver(connection))

    async def _deliver(self, connection: NatsLink) -> int:
        if not connection.is_up:
            return 0
        publisher, is_held = self._delivery.publisher, self._delivery.is_held()
        sent = 0 if is_held else await publisher.exchange(connection, self._config.receipt_timeout_s)
        await self._delivery.do_tasks(connection)
        return sent

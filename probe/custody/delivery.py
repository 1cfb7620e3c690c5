"""When a probe connects to a collector, and what it does there.

A permanent connection to one known host would reveal who the volunteers are. So a probe connects to deliver and
disconnects again, at random times; only a lab's fleet and a probe on its aggregator's machine stay connected.

Deliveries follow a run: the aggregator takes the smallest delay between a measurement and its arrival as the error of
the probe's clock (`DELIVERY_S` there), so some measurements must arrive promptly. A delivery that is due waits for the
end of the next run and a few seconds more.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import TYPE_CHECKING, Protocol

import structlog

from probe.base.clock import now_ms
from probe.base.disk_thread import call
from probe.base.errors import UserError
from probe.base.retry import waits
from probe.base.stopping import stops_within
from probe.custody.publisher import Publisher
from probe.custody.withdrawal_delivery import WithdrawalDelivery
from probe.home.notebook import held
from probe.measure.bytes_on_wire import delivery
from probe.protocol.collector_urls import SECURE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Sequence

    from probe.custody.spool import Spool
    from probe.home.config import Config
    from probe.home.notebook import Notebook
    from probe.nats.link import NatsLink
    from probe.protocol.keys import Key

log = structlog.get_logger()

AFTER_RUN_S = 20.0
"""A delivery begins at a random moment within this time after a run, so that their distance is not fixed."""
_FIRST_PAUSE_S = 0.5
_CONNECT_S = 7.0
"""The longest time for one URL, including the pause before it."""
_CONNECTION_ERRORS = (TimeoutError, ConnectionError)


class VisitTask(Protocol):
    """Something else to do while the probe is connected to a collector: a visit."""

    def is_due(self) -> bool:
        """Whether to do it on the next visit."""

    def is_urgent(self) -> bool:
        """Whether to make a visit for it alone."""

    async def do(self, connection: NatsLink) -> int:
        """Do it. Returns the number of messages. Raises TimeoutError and ConnectionError: then it is tried again."""


class Delivery:
    """Empties one probe's spool until stopped, and does the tasks of a visit: a withdrawal, and the given `tasks`."""

    def __init__(
        self, config: Config, key: Key, spool: Spool, notebook: Notebook, tasks: Sequence[VisitTask] = ()
    ) -> None:
        self._config = config
        self._tasks = (WithdrawalDelivery(config, key, spool.path.parent), *tasks)
        self._spool = spool
        self._notebook = notebook
        self._publisher = Publisher(config, key, spool, notebook)
        self._measured = asyncio.Event()
        self._urls = config.nats
        self._failing = False

    def measured(self) -> None:
        """Seal the run that has just been spooled, and deliver it if a delivery is due."""
        self._measured.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set; then seal and deliver the rest, for `flush_s` at most."""
        working = asyncio.create_task(
            self._stay_connected(stop) if not self._config.deliver_every_s else self._visits()
        )
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not self._config.deliver_every_s:
                await working
            else:
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)
                await self._last_visit()
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)
        left = await call(self._spool.spooled)
        if left:
            log.info("stopped with segments waiting; they are delivered after the next start", segments=left)

    async def _visits(self) -> None:
        """Visit a collector soon after a run, whenever a delivery is due."""
        every_s = self._config.deliver_every_s
        pauses = self._pauses()
        due = time.monotonic()
        while True:
            grace_s = 0.0 if self._failing else every_s / 2  # if no run ends in this time, deliver all the same
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._measured.wait(), max(0.0, due + grace_s - time.monotonic()))
            self._measured.clear()
            await self._seal(0.0)
            if time.monotonic() < due or self._is_quiet():
                await asyncio.sleep(0 if time.monotonic() < due else min(every_s, AFTER_RUN_S))
                continue
            await asyncio.sleep(random.uniform(0, min(AFTER_RUN_S, every_s / 4)))  # noqa: S311 - hides no secret
            await self._guarded(self._visit())
            if not self._failing:
                pauses = self._pauses()
            due = time.monotonic() + (next(pauses) if self._failing else every_s * random.uniform(0.5, 1.5))  # noqa: S311

    def _pauses(self) -> Iterator[float]:
        every_s = self._config.deliver_every_s
        return waits(min(60.0, every_s), every_s)

    def _is_held(self) -> bool:
        """Whether the owner's pause or withdrawal forbids sending segments."""
        return bool(held(self._spool.path.parent))

    def _is_quiet(self) -> bool:
        """Whether there must be no visit now."""
        return self._is_held() and not any(t.is_urgent() for t in self._tasks)

    async def _visit(self) -> int:
        """Connect, deliver, wait a little for receipts, do the tasks, and disconnect.

        Returns the number of messages of the delivery. Raises TimeoutError and ConnectionError.
        """
        is_held = self._is_held()
        if (is_held or not await call(self._spool.spooled)) and not any(t.is_urgent() for t in self._tasks):
            return 0
        connection = await self._publisher.connection(self._urls)
        messages = task_messages = 0
        try:
            async with asyncio.timeout(_CONNECT_S * len(self._urls)):
                await connection.ready()
            if not is_held:
                await self._publisher.listen(connection)
                messages = await self._publisher.exchange(connection, 0.0)
                await self._wait_for_receipts(self._config.receipt_wait_s)
            task_messages = await self._do_tasks(connection)
            self._urls = (connection.url, *(u for u in self._config.nats if u != connection.url))
        except TimeoutError as e:
            raise TimeoutError(connection.last_error if not connection.url else str(e)) from e
        finally:
            await connection.close()
            used = delivery(connection.bytes, 2 * (messages + task_messages), tls=connection.url.startswith(SECURE))
            await call(self._spool.add_traffic, used, now_ms())
        return messages

    async def _do_tasks(self, connection: NatsLink) -> int:
        return sum([await t.do(connection) for t in self._tasks if t.is_due()])

    async def _wait_for_receipts(self, within_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                self._publisher.settled.clear()
                while await call(self._spool.spooled):
                    await self._publisher.settled.wait()
                    self._publisher.settled.clear()

    async def _last_visit(self) -> None:
        await self._seal(0.0)
        if self._is_quiet():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._config.flush_s):
                await self._guarded(self._visit())

    async def _stay_connected(self, stop: asyncio.Event) -> None:
        """Stay connected, and deliver at once."""
        connection = await self._publisher.connection(self._urls)
        tick_s = min(max(min(self._config.seal_s, self._config.receipt_timeout_s) / 4, 0.1), 5.0)
        try:
            await self._publisher.listen(connection)
            pauses, not_before = waits(_FIRST_PAUSE_S, self._config.reconnect_most_s), 0.0
            while not stop.is_set():
                await self._seal(self._config.seal_s)
                if time.monotonic() >= not_before:
                    await self._guarded(self._deliver_over(connection))
                    not_before = time.monotonic() + next(pauses) if self._failing else 0.0
                    if not self._failing:
                        pauses = waits(_FIRST_PAUSE_S, self._config.reconnect_most_s)
                await stops_within(stop, tick_s)
            await self._flush(connection, tick_s / 4)
        finally:
            await connection.close()

    async def _flush(self, connection: NatsLink, tick_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._config.flush_s):
                await self._seal(0.0)
                await self._guarded(self._deliver_over(connection))
                while await call(self._spool.spooled):
                    await asyncio.sleep(tick_s)
                    await self._guarded(self._deliver_over(connection))

    async def _deliver_over(self, connection: NatsLink) -> int:
        if not connection.is_up:
            return 0
        sent = 0 if self._is_held() else await self._publisher.exchange(connection, self._config.receipt_timeout_s)
        await self._do_tasks(connection)
        return sent

    async def _seal(self, after_s: float) -> None:
        with contextlib.suppress(UserError):  # the spool's errors are reported where a run is added
            await self._publisher.seal(after_s)

    async def _guarded(self, work: Awaitable[int]) -> None:
        """Do a part of the delivery. Errors are logged and noted for `status`, and it is tried again later."""
        try:
            if await work:
                await call(self._notebook.note, delivered_ms=now_ms(), delivery_error="")
        except _CONNECTION_ERRORS as e:
            log_outage = log.debug if self._failing else log.warning  # one line for each outage
            log_outage("not delivered; will try again", error=str(e))
            await call(self._notebook.note, delivery_error=str(e))
            self._failing = True
        except UserError as e:
            log.error("the spool can't be used; will try again", error=e.message)  # noqa: TRY400 - the message is complete
        except Exception:
            log.exception("our own bug while delivering")
        else:
            self._failing = False

"""When a probe is connected. A standing connection to one host would list the volunteers, so it comes to deliver and
goes again, at times of its own; a lab's fleet and a probe beside its aggregator stay connected.

Deliveries follow a run: the aggregator takes the least delay between a row and its arrival for what a probe's clock
is off (`DELIVERY_S` there), so some rows must arrive promptly. A delivery that is due waits for the end of the next
run and a few seconds more.
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
from probe.custody.publisher import Publisher
from probe.custody.withdrawal_delivery import WithdrawalDelivery
from probe.home import notebook as state
from probe.measure.bytes_on_wire import delivery
from probe.protocol.collector_urls import SECURE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Sequence

    from probe.custody.spool import Spool
    from probe.home.config import Config
    from probe.nats.link import NatsLink
    from probe.protocol.keys import Key

log = structlog.get_logger()

AFTER_RUN_S = 20.0
"""A delivery begins within this time after a run, so that one does not follow the other at a fixed distance."""
_FIRST_PAUSE_S = 0.5
_CONNECT_S = 7.0
"""How long one URL may take, its pause included."""
_TROUBLE = (TimeoutError, ConnectionError)


class VisitTask(Protocol):
    """What else is done on a visit."""

    def is_due(self) -> bool:
        """Whether it is to be done when we are there."""

    def is_urgent(self) -> bool:
        """Whether a visit is worth making for it alone."""

    async def do(self, connection: NatsLink) -> int:
        """Do it; how many messages that took. Raises TimeoutError and ConnectionError: then it is tried again."""


class Delivery:
    """Empties one probe's spool until it is told to stop, and does its errands: a withdrawal, and those given."""

    def __init__(
        self, config: Config, key: Key, spool: Spool, notebook: state.Notebook, errands: Sequence[VisitTask] = ()
    ) -> None:
        self._config = config
        self._errands = (WithdrawalDelivery(config, key, spool.path.parent), *errands)
        self._spool = spool
        self._notebook = notebook
        self._publisher = Publisher(config, key, spool, notebook)
        self._measured = asyncio.Event()
        self._urls = config.nats
        self._failing = False

    def measured(self) -> None:
        """A run has been kept: it is sealed now, and delivered if its time has come."""
        self._measured.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until told to stop; then seal and deliver the rest, for `flush_s` at most."""
        working = asyncio.create_task(self._standing(stop) if not self._config.deliver_every_s else self._visits())
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
        """Connect now and then, soon after a run."""
        every_s = self._config.deliver_every_s
        pauses = self._pauses()
        due = time.monotonic()
        while True:
            grace_s = 0.0 if self._failing else every_s / 2  # no run comes any more: deliver all the same
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

    def _held(self) -> bool:
        """Whether no segment may leave this machine now."""
        return bool(state.held(self._spool.path.parent))

    def _is_quiet(self) -> bool:
        """Whether nobody may be visited now."""
        return self._held() and not any(e.is_urgent() for e in self._errands)

    async def _visit(self) -> int:
        """Connect, deliver, wait a little for receipts, do the errands, and go; how many messages delivering took.

        Raises TimeoutError and ConnectionError.
        """
        held = self._held()
        if (held or not await call(self._spool.spooled)) and not any(e.is_urgent() for e in self._errands):
            return 0
        connection = await self._publisher.connection(self._urls)
        messages = errands = 0
        try:
            async with asyncio.timeout(_CONNECT_S * len(self._urls)):
                await connection.ready()
            if not held:
                await self._publisher.listen(connection)
                messages = await self._publisher.exchange(connection, 0.0)
                await self._receipts(self._config.receipt_wait_s)
            errands = await self._run_errands(connection)
            self._urls = (connection.url, *(u for u in self._config.nats if u != connection.url))
        except TimeoutError as e:
            raise TimeoutError(connection.last_error if not connection.url else str(e)) from e
        finally:
            await connection.close()
            used = delivery(connection.bytes, 2 * (messages + errands), tls=connection.url.startswith(SECURE))
            await call(self._spool.add_traffic, used, now_ms())
        return messages

    async def _run_errands(self, connection: NatsLink) -> int:
        return sum([await e.do(connection) for e in self._errands if e.is_due()])

    async def _receipts(self, within_s: float) -> None:
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

    async def _standing(self, stop: asyncio.Event) -> None:
        """Stay connected, and deliver at once."""
        connection = await self._publisher.connection(self._urls)
        tick_s = min(max(min(self._config.seal_s, self._config.receipt_timeout_s) / 4, 0.1), 5.0)
        try:
            await self._publisher.listen(connection)
            pauses, not_before = waits(_FIRST_PAUSE_S, self._config.reconnect_most_s), 0.0
            while not stop.is_set():
                await self._seal(self._config.seal_s)
                if time.monotonic() >= not_before:
                    await self._guarded(self._turn(connection))
                    not_before = time.monotonic() + next(pauses) if self._failing else 0.0
                    if not self._failing:
                        pauses = waits(_FIRST_PAUSE_S, self._config.reconnect_most_s)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), tick_s)
            await self._flush(connection, tick_s / 4)
        finally:
            await connection.close()

    async def _flush(self, connection: NatsLink, tick_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._config.flush_s):
                await self._seal(0.0)
                await self._guarded(self._turn(connection))
                while await call(self._spool.spooled):
                    await asyncio.sleep(tick_s)
                    await self._guarded(self._turn(connection))

    async def _turn(self, connection: NatsLink) -> int:
        if not connection.is_up:
            return 0
        sent = 0 if self._held() else await self._publisher.exchange(connection, self._config.receipt_timeout_s)
        await self._run_errands(connection)
        return sent

    async def _seal(self, after_s: float) -> None:
        with contextlib.suppress(UserError):  # the spool's trouble is told where a run is to be kept
            await self._publisher.seal(after_s)

    async def _guarded(self, work: Awaitable[int]) -> None:
        """Do a part of the delivery. Whatever goes wrong is noted, and tried again later."""
        try:
            if await work:
                await call(self._notebook.note, delivered_ms=now_ms(), delivery_error="")
        except _TROUBLE as e:
            say = log.debug if self._failing else log.warning  # one line for each outage
            say("not delivered; will try again", error=str(e))
            await call(self._notebook.note, delivery_error=str(e))
            self._failing = True
        except UserError as e:
            log.error("the spool can't be used; will try again", error=e.message)  # noqa: TRY400 - it says all
        except Exception:
            log.exception("our own bug while delivering")
        else:
            self._failing = False

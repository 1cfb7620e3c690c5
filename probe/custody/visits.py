"""Visits to a collector: connect, deliver, wait a little for receipts, disconnect."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import TYPE_CHECKING

import msgspec
import structlog

from probe.base import clock
from probe.base.disk_thread import call
from probe.base.stopping import unless_stopped
from probe.custody.visit_schedule import VisitSchedule
from probe.measure.bytes_on_wire import delivery_bytes
from probe.protocol.collector_urls import SECURE

if TYPE_CHECKING:
    from probe.custody.delivery import Delivery

log = structlog.get_logger()

AFTER_RUN_S = 20.0
"""A visit begins at a random moment within this time after a run, so that their distance is not fixed."""
_LONGEST_S = 60.0
_PAUSE_SHARE, _VISIT_SHARE = 0.1, 0.6
"""The longest pause and visit as shares of the cadence: the next run begins on time. A visit may take `_LONGEST_S` in
any case."""
_CONNECT_S = 7.0
"""The longest time for one URL, including the pause before it."""


class VisitsMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe's next process needs to know about earlier visits, beside their schedule."""

    first_url: str = ""
    """The collector that was reached last; it is tried first."""
    logged: tuple[str, ...] = ()
    """Problems that have been logged, so that each is logged once."""


class Visits:
    """Visits a collector whenever the schedule and the owner allow it.

    `memory` is what an earlier process of this probe left; `cadence_s` is the time between two runs.
    """

    def __init__(
        self,
        delivery: Delivery,
        schedule: VisitSchedule | None = None,
        *,
        memory: VisitsMemory | None = None,
        cadence_s: float,
    ) -> None:
        self.schedule = schedule or VisitSchedule.start(delivery.config.deliver_every_s)
        self._delivery = delivery
        self._longest_pause_s = min(AFTER_RUN_S, self.schedule.every_s / 4, _PAUSE_SHARE * cadence_s)
        self._longest_s = max(_LONGEST_S, _VISIT_SHARE * cadence_s)
        known = memory or VisitsMemory()
        self._first_url = known.first_url
        delivery.is_failing = self.schedule.failures > 0
        delivery.publisher.logged.update(known.logged)

    @property
    def memory(self) -> VisitsMemory:
        """What to hand to the probe's next process."""
        return VisitsMemory(first_url=self._first_url, logged=tuple(sorted(self._delivery.publisher.logged)))

    async def has_waiting(self) -> bool:
        """Whether a visit would have something to do. Raises SpoolError."""
        return await self._delivery.has_waiting()

    async def after_run(self, stop: asyncio.Event) -> None:
        """Seal the run that has just been spooled, and make a visit if one is due. Ends early when `stop` is set."""
        await self._make(stop, self.schedule.due_s)

    async def without_run(self, stop: asyncio.Event) -> None:
        """Make a visit if it is overdue: no run has ended since it was due."""
        await self._make(stop, self.schedule.overdue_s)

    async def last(self) -> None:
        """Seal, and make a visit within `flush_s`, since the probe stops."""
        await self._delivery.seal(0.0)
        if not self._delivery.is_forbidden():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._delivery.config.flush_s):
                    await self._delivery.guarded(self._visit())
        await self._delivery.log_what_waits()

    async def _make(self, stop: asyncio.Event, from_s: float) -> None:
        await self._delivery.seal(0.0)
        if time.monotonic() < from_s:
            return
        if self._delivery.is_forbidden():
            self.schedule = self.schedule.after_visit(failed=False)
        else:
            await unless_stopped(stop, self._pause_and_visit())

    async def _pause_and_visit(self) -> None:
        await asyncio.sleep(random.uniform(0, self._longest_pause_s))  # noqa: S311 - hides no secret
        try:
            async with asyncio.timeout(self._longest_s):
                await self._delivery.guarded(self._visit())
        except TimeoutError:
            log.info("a long delivery was interrupted; it goes on after the next run")
            self.schedule = self.schedule.after_interruption()
        else:
            self.schedule = self.schedule.after_visit(failed=self._delivery.is_failing)

    async def _visit(self) -> int:
        """Connect, deliver, wait a little for receipts, do the tasks, and disconnect.

        Returns the number of messages of the delivery. Raises TimeoutError and ConnectionError.
        """
        config, publisher = self._delivery.config, self._delivery.publisher
        is_held = self._delivery.is_held()
        has_segments = not is_held and bool(await call(self._delivery.spool.spooled))
        if not has_segments and not self._delivery.has_urgent_task():
            return 0
        urls = sorted(config.nats, key=lambda url: url != self._first_url)
        connection = await publisher.connection(urls)
        messages = task_messages = 0
        try:
            async with asyncio.timeout(_CONNECT_S * len(urls)):
                await connection.ready()
            if not is_held:
                await publisher.listen(connection)
                messages = await publisher.exchange(connection, 0.0)
                await self._wait_for_receipts(config.receipt_wait_s)
            task_messages = await self._delivery.do_tasks(connection)
            self._first_url = connection.url
        except TimeoutError as e:
            raise TimeoutError(connection.last_error if not connection.url else str(e)) from e
        finally:
            await connection.close()
            is_tls = connection.url.startswith(SECURE)
            used = delivery_bytes(connection.bytes, 2 * (messages + task_messages), tls=is_tls)
            await call(self._delivery.spool.add_traffic, used, clock.now_ms())
        return messages

    async def _wait_for_receipts(self, within_s: float) -> None:
        settled = self._delivery.publisher.settled
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                settled.clear()
                while await call(self._delivery.spool.spooled):
                    await settled.wait()
                    settled.clear()

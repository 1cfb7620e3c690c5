"""The agent: it decides when to measure and when to visit a collector, and has a worker do both.

It stays in memory for months, so it loads no cryptography, HTTP, NATS, DNS or SQLite: whatever needs them is the
worker's part.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import structlog

from probe.agent.early_runs import wait_for_run, watch_network
from probe.agent.schedule import Schedule
from probe.base.clock import now_ms
from probe.base.disk_thread import call
from probe.base.stopping import stops_within
from probe.custody.spool_lock import lock_spool
from probe.home import files, notebook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from probe.agent.messages import ProbeFacts
    from probe.base.lock import FileLock
    from probe.custody.visit_schedule import VisitSchedule

log = structlog.get_logger()
_AGAIN_S = 20.0
"""The least time between two attempts to make a visit without a run."""


class Worker(Protocol):
    """Does a probe's work: in this process, or in a child process for each piece of work."""

    @property
    def facts(self) -> ProbeFacts:
        """What the agent needs to know about the probe. They change when the watch is renewed."""

    @property
    def visits(self) -> VisitSchedule | None:
        """When visits are due; None when the worker stays connected and delivers by itself."""

    @property
    def has_waiting(self) -> bool:
        """Whether a visit would have something to do; True while that is not known."""

    def opened(self, lock: FileLock, /) -> AbstractAsyncContextManager[object]:
        """A context in which `work` may be called. `lock` is the spool's and stays locked that long."""

    async def work(self, stop: asyncio.Event, *, measure: bool) -> bool:
        """Make a run if `measure` is set, and a visit if one is due. When `stop` is set, end with a last visit.

        Returns whether the last visit was made.
        """


class Agent:
    """Has a worker measure at the watch's cadence and deliver, one piece of work at a time."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._spool = Path(worker.facts.spool)
        self._notebook = notebook.Notebook(self._spool.parent)
        self._working = asyncio.Lock()
        self._made_last_visit = False

    async def run(self, stop: asyncio.Event) -> None:
        """Measure and deliver until `stop` is set; then deliver what is left, for `flush_s` at most.

        Raises UserError when the spool can't be opened or another probe uses it.
        """
        if not self._worker.facts.knows_provider:
            log.warning("neither vantage.asn nor vantage.whoami is set: these rows count for no provider")
        lock = await call(lock_spool, self._spool)
        try:
            async with self._worker.opened(lock):
                await call(self._notebook.note, pid=os.getpid(), started_ms=now_ms())
                await self._work_until(stop)
                if self._worker.visits and self._worker.has_waiting and not self._made_last_visit and self._may_visit():
                    await self._work(stop, measure=False)
        finally:
            lock.release()

    async def _work_until(self, stop: asyncio.Event) -> None:
        visiting = asyncio.create_task(self._visit_without_runs(stop))
        try:
            await self._measure(stop)
            await visiting
        finally:
            visiting.cancel()
            await asyncio.gather(visiting, return_exceptions=True)

    async def _measure(self, stop: asyncio.Event) -> None:
        """Have a run made whenever one is due, until `stop` is set."""
        facts = self._worker.facts
        schedule = Schedule(facts.cadence_s)
        async with self._network_changes() as network_changed:
            while True:
                if facts.watch_digest != self._worker.facts.watch_digest:  # renewed
                    facts = self._worker.facts
                    schedule = Schedule(facts.cadence_s)
                async with self._working:  # a worker writes the notebook too
                    wait_s = schedule.wait_s()
                    await call(self._notebook.note, next_run_ms=now_ms() + round(wait_s * 1000))
                if await wait_for_run(stop, wait_s, network_changed):
                    schedule.early()
                async with self._working:
                    if stop.is_set():
                        return
                    await self._work(stop, measure=True)

    async def _visit_without_runs(self, stop: asyncio.Event) -> None:
        """Have a visit made when one is due and no run has ended for a while, until `stop` is set."""
        while not stop.is_set() and (visits := self._worker.visits):
            if await stops_within(stop, max(0.0, visits.overdue_s - time.monotonic())):
                return
            async with self._working:
                is_overdue = self._worker.visits is not None and self._worker.visits.overdue_s <= time.monotonic()
                if is_overdue and not stop.is_set() and self._may_visit():
                    await self._work(stop, measure=False)
            await stops_within(stop, min(visits.every_s, _AGAIN_S))

    async def _work(self, stop: asyncio.Event, *, measure: bool) -> None:
        try:
            self._made_last_visit = await self._worker.work(stop, measure=measure)
        except Exception:
            log.exception("our own bug in the agent")

    def _may_visit(self) -> bool:
        """Whether the owner allows visits, as far as the probe's files show it without their being read."""
        directory = self._spool.parent
        if (directory / files.WITHDRAWN).exists():
            return not (directory / files.WITHDRAWAL_RECEIPT).exists()
        return not notebook.held(directory)

    @contextlib.asynccontextmanager
    async def _network_changes(self) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever this machine woke up or changed its network. Never set in a lab."""
        changed = asyncio.Event()
        if not self._worker.facts.is_real:
            yield changed
            return
        watching = asyncio.create_task(watch_network(changed))
        try:
            yield changed
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

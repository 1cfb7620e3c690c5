"""A probe's work: one run after the other, spooled and delivered. Many probes can work in one process."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from probe.agent.agent import Agent
from probe.agent.memory import WorkMemory
from probe.agent.messages import ProbeFacts
from probe.agent.reasons import why_not
from probe.base.clock import now_ms
from probe.base.disk_thread import call
from probe.base.errors import UserError
from probe.base.retry import waits
from probe.base.stopping import stops_within, unless_stopped
from probe.custody.delivery import Delivery
from probe.custody.spool import Spool
from probe.custody.spool_lock import lock_spool
from probe.custody.standing_connection import StandingConnection
from probe.custody.visits import Visits, VisitsMemory
from probe.custody.watch_renewal import WatchRenewal
from probe.home import files
from probe.home.notebook import Notebook
from probe.measure.plan import RunPlanner
from probe.measure.run import measure
from probe.place.known_networks import KnownNetworks
from probe.place.path_notice import PathNotice
from probe.place.vantage import VantageSource, of_config
from probe.protocol import prefix_table
from probe.protocol.keys import Key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from probe.base.lock import FileLock
    from probe.custody.visit_schedule import VisitSchedule
    from probe.home.config import Config
    from probe.net.network import Network
    from probe.protocol.measurement import Measurement
    from probe.protocol.watch import Watch

log = structlog.get_logger()


class Probe:
    """A probe of one watch over one network, and the worker that does its work in this process.

    `id` is its public key, made on first use in the configuration's data directory.
    """

    def __init__(self, config: Config, network: Network, watch: Watch) -> None:
        """Raises UserError when the key file or the prefix table can't be used."""
        self.config = config
        self.watch = watch
        self.has_waiting = True
        """Whether a visit would have something to do; True until that is known."""
        self._network = network
        self._key = Key.load_or_create(config.key_file, "user")
        self.id = self._key.id
        self._notebook = Notebook(Path(config.data))
        self._planner = RunPlanner(watch.sweep_s)
        self._table = prefix_table.read(Path(config.prefixes)) if config.prefixes else None
        known = KnownNetworks(Path(config.data) / files.NETWORKS, self._key)
        base = of_config(config.vantage)
        self._vantage = VantageSource(base, lambda: self.watch, network.dialer, known, self._table)
        self._path_notice = PathNotice()
        self._renewal = WatchRenewal(config, self._key, lambda: self.watch, self.renew)
        self._why_not = ""
        self._spool: Spool | None = None
        self._visits: Visits | None = None

    @property
    def facts(self) -> ProbeFacts:
        """What the agent needs to know."""
        vantage = self.config.vantage
        return ProbeFacts(
            id=self.id,
            spool=str(self.config.spool_file),
            watch_digest=self.watch.digest,
            cadence_s=self.watch.cadence_s,
            flush_s=self.config.flush_s,
            is_real=self._network.dialer.is_real,
            knows_provider=bool(vantage.asn or vantage.whoami),
        )

    @property
    def visits(self) -> VisitSchedule | None:
        """When visits are due; None while the probe stays connected, or is not opened."""
        return self._visits.schedule if self._visits else None

    async def run(self, stop: asyncio.Event) -> None:
        """Measure at the watch's cadence and deliver, until `stop` is set, all in this process.

        Then deliver what is left, for `flush_s` at most. Raises UserError when the spool can't be opened.
        """
        await Agent(self).run(stop)

    async def once(self) -> tuple[Measurement, ...]:
        """Measure one run now, spool it, and deliver it within `flush_s` if that is possible."""
        lock = await call(lock_spool, self.config.spool_file)
        try:
            async with self.opened(lock) as spool:
                run = await measure(self.watch, self._network, self._vantage, table=self._table)
                self._report_path(run)
                await call(spool.add, run)
                if self._visits:
                    await self._visits.last()
                return run
        finally:
            lock.release()

    @contextlib.asynccontextmanager
    async def opened(
        self, _lock: FileLock | None = None, /, *, memory: WorkMemory | None = None, visits: VisitSchedule | None = None
    ) -> AsyncIterator[Spool]:
        """The opened spool, whose lock the caller holds, and whatever delivers it.

        `memory` and `visits` are what an earlier process of this probe left. A probe that stays connected
        (`deliver_every_s = 0`) delivers while the context is entered, and flushes at its end.
        """
        max_bytes = self.config.spool_mb * 1_000_000
        spool = await call(Spool, self.config.spool_file, max_bytes=max_bytes, is_locked=True)
        try:
            delivery = Delivery(self.config, self._key, spool, self._notebook, [self._renewal])
            self._spool = spool
            if memory:
                await self._restore(memory, spool)
            if self.config.deliver_every_s:
                known = memory.visits if memory else None
                self._visits = Visits(delivery, visits, memory=known, cadence_s=self.watch.cadence_s)
                yield spool
            else:
                async with _running(StandingConnection(delivery)):
                    yield spool
        finally:
            self._spool = self._visits = None
            await call(spool.close)

    async def work(self, stop: asyncio.Event, *, measure: bool) -> bool:
        """Make a run if `measure` is set, and a visit if one is due. When `stop` is set, end with a last visit.

        Returns whether the last visit was made. Only while `opened`.
        """
        ran = measure and await self.make_run(stop)
        return await self.make_visit(stop, ran=ran)

    async def make_run(self, stop: asyncio.Event) -> bool:
        """Make one run and spool it, unless there is a reason not to. Returns whether it was made.

        A bug of ours is logged and does not end the probe.
        """
        assert self._spool
        try:
            reason = await why_not(self.config, self.watch, self._spool)
            if reason:
                if reason != self._why_not:  # one line for each reason, not one a run
                    log.error("not measuring", reason=reason)
                self._why_not = reason
                await call(self._notebook.note, why_not=reason)
                return False
            self._why_not = ""
            return await self._measure_and_spool(self._spool, stop)
        except Exception:
            log.exception("our own bug while measuring")
            return False

    async def make_visit(self, stop: asyncio.Event, *, ran: bool) -> bool:
        """Make a visit if one is due, or the last one when `stop` is set. Returns whether the last one was made.

        `ran` tells that a run has just been made. A probe that stays connected makes no visits.
        """
        if self._visits is None:
            return False
        if not stop.is_set():
            await (self._visits.after_run(stop) if ran else self._visits.without_run(stop))
        is_last = stop.is_set()
        if is_last:
            await self._visits.last()
        with contextlib.suppress(UserError):  # then it is not known
            self.has_waiting = await self._visits.has_waiting()
        return is_last

    def renew(self, watch: Watch) -> None:
        """Measure by a newer watch from the next run on."""
        self.watch, self._planner = watch, RunPlanner(watch.sweep_s)

    async def memory(self) -> WorkMemory:
        """What to leave for the probe's next process. Only while `opened`. Raises SpoolError."""
        assert self._spool
        return WorkMemory(
            planner=self._planner.memory,
            vantage=self._vantage.memory,
            visits=self._visits.memory if self._visits else VisitsMemory(),
            sent=tuple(await call(self._spool.sent)),
            reported_path=self._path_notice.reported,
            why_not=self._why_not,
            watch_asked_s=self._renewal.asked_s,
        )

    async def _restore(self, memory: WorkMemory, spool: Spool) -> None:
        self._planner.restore(memory.planner)
        self._vantage.restore(memory.vantage)
        self._path_notice.reported = memory.reported_path
        self._why_not = memory.why_not
        self._renewal.asked_s = memory.watch_asked_s
        await call(spool.restore_sent, memory.sent)

    async def _measure_and_spool(self, spool: Spool, stop: asyncio.Event) -> bool:
        work = measure(self.watch, self._network, self._vantage, table=self._table, planner=self._planner)
        run = await unless_stopped(stop, work)
        if used := self._vantage.used_bytes():
            await call(spool.add_traffic, used, now_ms())
        if run is None:
            return False
        self._vantage.learn(run)
        self._report_path(run)
        await self._keep(run, spool, stop)
        await call(self._notebook.count_run, now_ms(), network_is_new=self._vantage.is_new, **_for_status(run))
        return True

    async def _keep(self, run: tuple[Measurement, ...], spool: Spool, stop: asyncio.Event) -> None:
        """Spool a run. While that fails, nothing more is measured and nothing unsent is dropped."""
        pauses = waits(1.0, 60.0)
        while True:
            try:
                await call(spool.add, run)
            except UserError as e:
                log.error("a run can't be spooled; measuring waits", error=e.message)  # noqa: TRY400 - the message is complete
            else:
                return
            if await stops_within(stop, next(pauses)):
                return
            if self._visits:
                await self._visits.without_run(stop)  # what it delivers makes room

    def _report_path(self, run: tuple[Measurement, ...]) -> None:
        if run:
            self._path_notice.report(run[0].vantage)


@contextlib.asynccontextmanager
async def _running(connection: StandingConnection) -> AsyncIterator[None]:
    """Deliver over a connection while the context is entered, and flush at its end."""
    done = asyncio.Event()
    delivering = asyncio.create_task(connection.run(done))
    try:
        yield
        done.set()
        await delivering
    finally:
        delivering.cancel()
        await asyncio.gather(delivering, return_exceptions=True)


def _for_status(run: tuple[Measurement, ...]) -> dict[str, object]:
    """The fields of the notebook that `status` shows about a run."""
    if not run:
        return {}
    vantage = run[0].vantage
    notice = "" if vantage.path in ("direct", "unknown") else f"path-{vantage.path}"
    return {"asn": vantage.asn, "access": vantage.access, "notice": notice}

"""One probe: it measures on schedule, spools what it measured, and delivers it. Many can run in one process."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from probe.agent.early_runs import wait_for_run, watch_network
from probe.agent.schedule import Schedule
from probe.base.clock import now_ms
from probe.base.disk_thread import call
from probe.base.errors import UserError
from probe.base.retry import waits
from probe.base.stopping import stops_within, unless_stopped
from probe.custody import watch_renewal
from probe.custody.delivery import Delivery
from probe.custody.spool import Spool
from probe.custody.watch_renewal import WatchRenewal
from probe.home import files, notebook
from probe.measure.plan import RunPlanner
from probe.measure.run import measure
from probe.place import metered
from probe.place.known_networks import KnownNetworks
from probe.place.path_notice import PathNotice
from probe.place.vantage import VantageSource, of_config
from probe.protocol import prefix_table
from probe.protocol.keys import Key
from probe.protocol.measurement import EARLIEST_MS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from probe.home.config import Config
    from probe.net.network import Network
    from probe.protocol.measurement import Measurement
    from probe.protocol.watch import Watch

log = structlog.get_logger()
DAY_MS = 86_400_000


class Probe:
    """A probe of one watch over one network.

    `id` is its public key, made on first use in the configuration's data directory.
    """

    def __init__(self, config: Config, network: Network, watch: Watch) -> None:
        """Raises UserError when the key file or the prefix table can't be used."""
        self._config = config
        self._network = network
        self._watch = watch
        self._key = Key.load_or_create(config.key_file, "user")
        self.id = self._key.id
        self._notebook = notebook.Notebook(Path(config.data))
        self._planner = RunPlanner(watch.sweep_s)
        self._table = prefix_table.read(Path(config.prefixes)) if config.prefixes else None
        known = KnownNetworks(Path(config.data) / files.NETWORKS, self._key)
        base = of_config(config.vantage)
        self._vantage = VantageSource(base, lambda: self._watch, network.dialer, known, self._table)
        self._path_notice = PathNotice()

    async def run(self, stop: asyncio.Event) -> None:
        """Measure at the watch's cadence and deliver, until `stop` is set.

        Then deliver what is left, for `flush_s` at most. Raises UserError when the spool can't be opened.
        """
        if not (self._config.vantage.asn or self._config.vantage.whoami):
            log.warning("neither vantage.asn nor vantage.whoami is set: these rows count for no provider")
        async with self._delivery() as (spool, delivery):
            await call(self._notebook.note, pid=os.getpid(), started_ms=now_ms())
            watch, schedule = self._watch, Schedule(self._watch.cadence_s)
            async with self._network_changes() as network_changed:
                while True:
                    if watch is not self._watch:  # renewed
                        watch, schedule = self._watch, Schedule(self._watch.cadence_s)
                    wait_s = schedule.wait_s()
                    await call(self._notebook.note, next_run_ms=now_ms() + round(wait_s * 1000))
                    if await wait_for_run(stop, wait_s, network_changed):
                        schedule.early()
                    if stop.is_set():
                        break
                    await self._run_once(spool, delivery, stop)

    async def once(self) -> tuple[Measurement, ...]:
        """Measure one run now, spool it, and deliver it within `flush_s` if that is possible."""
        async with self._delivery() as (spool, _):
            run = await measure(self._watch, self._network, self._vantage, table=self._table)
            self._report_path(run)
            await call(spool.add, run)
            return run

    @contextlib.asynccontextmanager
    async def _delivery(self) -> AsyncIterator[tuple[Spool, Delivery]]:
        """The opened spool and its delivery, which runs while the context is entered and flushes at its end."""
        spool = await call(Spool, self._config.spool_file, max_bytes=self._config.spool_mb * 1_000_000)
        done = asyncio.Event()
        renewal = WatchRenewal(self._config, self._key, lambda: self._watch, self._renew)
        delivery = Delivery(self._config, self._key, spool, self._notebook, [renewal])
        publishing = asyncio.create_task(delivery.run(done))
        try:
            yield spool, delivery
            done.set()
            await publishing
        finally:
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)
            await call(spool.close)

    @contextlib.asynccontextmanager
    async def _network_changes(self) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever this machine woke up or changed its network. Never set in a lab."""
        changed = asyncio.Event()
        if not self._network.dialer.is_real:
            yield changed
            return
        watching = asyncio.create_task(watch_network(changed))
        try:
            yield changed
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    def _renew(self, watch: Watch) -> None:
        """Measure by a newer watch from the next run on."""
        self._watch, self._planner = watch, RunPlanner(watch.sweep_s)

    async def _run_once(self, spool: Spool, delivery: Delivery, stop: asyncio.Event) -> None:
        """Make one run, unless there is a reason not to. A bug of ours is logged and does not end the probe."""
        try:
            why_not = await self._why_not(spool)
            if why_not:
                if why_not != self._notebook.state.why_not:  # one line for each reason, not one a run
                    log.error("not measuring", reason=why_not)
                await call(self._notebook.note, why_not=why_not)
                return
            work = measure(self._watch, self._network, self._vantage, table=self._table, planner=self._planner)
            run = await unless_stopped(stop, work)
            if used := self._vantage.used_bytes():
                await call(spool.add_traffic, used, now_ms())
            if run is not None:
                self._vantage.learn(run)
                self._report_path(run)
                await self._keep(run, spool, stop)
                is_new = self._vantage.is_new
                await call(self._notebook.count_run, now_ms(), network_is_new=is_new, **_for_status(run))
                delivery.measured()
        except Exception:
            log.exception("our own bug while measuring")

    def _report_path(self, run: tuple[Measurement, ...]) -> None:
        if run:
            self._path_notice.report(run[0].vantage)

    async def _why_not(self, spool: Spool) -> str:
        """The reason not to make a run now; "" if there is none."""
        at_ms = now_ms()
        if at_ms < EARLIEST_MS:
            return "this machine's clock is not set"
        if held := notebook.held(spool.path.parent):
            return held
        if watch_renewal.expired(self._watch):
            return f"the watch expired on {self._watch.expires}: a newer one is asked for once a day"
        oldest_ms = await call(spool.oldest_ms)
        if oldest_ms is not None and at_ms - oldest_ms > self._config.spool_days * DAY_MS:
            return f"nothing could be delivered for {self._config.spool_days:g} days (spool_days); what waits is kept"
        if await metered.is_metered(self._config.metered):
            return "this connection is metered (metered)"
        cap = self._config.monthly_mb * 1_000_000
        if cap and await call(spool.traffic, at_ms) >= cap:
            return f"this month's {self._config.monthly_mb} MB (monthly_mb) are used"
        return ""

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


def _for_status(run: tuple[Measurement, ...]) -> dict[str, object]:
    """The fields of the notebook that `status` shows about a run."""
    if not run:
        return {}
    vantage = run[0].vantage
    notice = "" if vantage.path in ("direct", "unknown") else f"path-{vantage.path}"
    return {"asn": vantage.asn, "access": vantage.access, "notice": notice}

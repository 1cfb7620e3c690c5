"""One probe: it measures on schedule, keeps what it measured, and delivers. Many can run in one process."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from typing import TYPE_CHECKING, TypeVar

import structlog

from probe import watch as watches
from probe.backoff import waits
from probe.disk import call
from probe.errors import UserError
from probe.keys import Key
from probe.measurement import EARLIEST_MS
from probe.publish import Publisher
from probe.run import measure
from probe.schedule import Schedule
from probe.spool import Spool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from pathlib import Path

    from probe.config import Config
    from probe.measurement import Measurement
    from probe.network import Network
    from probe.watch import Watch

log = structlog.get_logger()
T = TypeVar("T")


class Probe:
    """A probe of one watch over one network.

    `id` is its public key, made on first use in the configuration's data directory.
    """

    def __init__(self, config: Config, network: Network, watch: Watch) -> None:
        """Raises UserError when the key file can't be used."""
        self._config = config
        self._network = network
        self._watch = watch
        self._where = config.where()
        self._key = Key.load_or_create(config.key_file, "user")
        self.id = self._key.id

    async def run(self, stop: asyncio.Event) -> None:
        """Measure at the watch's cadence until told to stop, and deliver all the while.

        Then deliver what is left, for `flush_s` at most. Raises UserError when the spool can't be opened.
        """
        if not (self._config.vantage.asn or self._config.vantage.whoami):
            log.warning("vantage.asn is not set and vantage.whoami neither: these rows count for no provider")
        async with self._delivery() as spool:
            schedule = Schedule(self._watch.cadence_s)
            while not await _stopped(stop, schedule.wait_s()):
                await self._round(spool, stop)

    async def once(self) -> tuple[Measurement, ...]:
        """Measure one run now, keep it, and deliver it within `flush_s` if that is possible."""
        async with self._delivery() as spool:
            run = await measure(self._watch, self._network, self._where)
            await call(spool.add, run)
            return run

    @contextlib.asynccontextmanager
    async def _delivery(self) -> AsyncIterator[Spool]:
        """The opened spool, which is delivered for as long as the block lasts and flushed at its end."""
        spool = await call(Spool, self._config.spool_file, max_bytes=self._config.spool_mb * 1_000_000)
        done = asyncio.Event()
        publishing = asyncio.create_task(Publisher(self._config, self._key, spool).run(done))
        try:
            yield spool
            done.set()
            await publishing
        finally:
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)
            await call(spool.close)

    async def _round(self, spool: Spool, stop: asyncio.Event) -> None:
        """One run, unless there is a reason against it. Our own bug spoils this run and not the next."""
        try:
            why_not = await self._why_not(spool)
            if why_not:
                log.error("not measuring", reason=why_not)
                return
            run = await _unless_stopped(stop, measure(self._watch, self._network, self._where))
            if run is not None:
                await self._keep(run, spool, stop)
        except Exception:
            log.exception("our own bug while measuring")

    async def _why_not(self, spool: Spool) -> str:
        """Why there must be no run now; "" when there may be one."""
        now_ms = time.time_ns() // 1_000_000
        if now_ms < EARLIEST_MS:
            return "this machine's clock is not set"
        if dt.date.fromisoformat(self._watch.expires) < dt.datetime.now(dt.UTC).date():
            return f"the watch expired on {self._watch.expires}: ask the operator for a new one"
        cap = self._config.monthly_mb * 1_000_000
        if cap and await call(spool.traffic, now_ms) >= cap:
            return f"this month's {self._config.monthly_mb} MB (monthly_mb) are used"
        return ""

    async def _keep(self, run: tuple[Measurement, ...], spool: Spool, stop: asyncio.Event) -> None:
        """Store a run. While the disk refuses it nothing more is measured, and nothing unsent is dropped."""
        pauses = waits(1.0, 60.0)
        while True:
            try:
                await call(spool.add, run)
            except UserError as e:
                log.error("a run can't be kept; measuring waits", error=e.message)  # noqa: TRY400 - it says all
            else:
                return
            if await _stopped(stop, next(pauses)):
                return


def signed_watch(path: Path, operator_id: str) -> Watch:
    """The watch in a file that the operator signed. Raises UserError for one that may not be used."""
    try:
        return watches.open_signed(path.read_bytes(), operator_id, str(path), dt.datetime.now(dt.UTC).date())
    except OSError as e:
        raise UserError(f"watch {path}: can't be read: {e.strerror}") from e
    except watches.WatchError as e:
        raise UserError(str(e)) from e


async def _stopped(stop: asyncio.Event, seconds: float) -> bool:
    """Wait so long, or until told to stop; whether that was it."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
    return stop.is_set()


async def _unless_stopped(stop: asyncio.Event, work: Coroutine[None, None, T]) -> T | None:
    """What the work gives, or None when it was broken off because of `stop`."""
    task, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return await task if task.done() else None
    finally:
        task.cancel()
        stopping.cancel()
        await asyncio.gather(task, stopping, return_exceptions=True)

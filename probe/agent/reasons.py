"""The reasons not to make a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.base.clock import now_ms
from probe.base.disk_thread import call
from probe.custody import watch_renewal
from probe.home import notebook
from probe.place import metered
from probe.protocol.measurement import EARLIEST_MS

if TYPE_CHECKING:
    from probe.custody.spool import Spool
    from probe.home.config import Config
    from probe.protocol.watch import Watch

DAY_MS = 86_400_000


async def why_not(config: Config, watch: Watch, spool: Spool) -> str:
    """The reason not to make a run now; "" if there is none. Raises SpoolError."""
    at_ms = now_ms()
    if at_ms < EARLIEST_MS:
        return "this machine's clock is not set"
    if held := notebook.held(spool.path.parent):
        return held
    if watch_renewal.expired(watch):
        return f"the watch expired on {watch.expires}: a newer one is asked for once a day"
    oldest_ms = await call(spool.oldest_ms)
    if oldest_ms is not None and at_ms - oldest_ms > config.spool_days * DAY_MS:
        return f"nothing could be delivered for {config.spool_days:g} days (spool_days); what waits is kept"
    if await metered.is_metered(config.metered):
        return "this connection is metered (metered)"
    cap = config.monthly_mb * 1_000_000
    if cap and await call(spool.traffic, at_ms) >= cap:
        return f"this month's {config.monthly_mb} MB (monthly_mb) are used"
    return ""

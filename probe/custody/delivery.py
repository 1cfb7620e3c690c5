"""What a probe does while it is connected to a collector: it delivers its spool and does the tasks of a visit.

When it connects is decided elsewhere. A permanent connection to one known host would reveal who the volunteers are. So
a probe connects to deliver and disconnects again, at random times (`probe.custody.visits`); only a lab's fleet and a
probe on its aggregator's machine stay connected (`probe.custody.standing_connection`).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

import structlog

from probe.base.clock import now_ms
from probe.base.disk_thread import call
from probe.base.errors import UserError
from probe.custody.publisher import Publisher
from probe.custody.withdrawal_delivery import WithdrawalDelivery
from probe.home.notebook import held

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from probe.custody.spool import Spool
    from probe.home.config import Config
    from probe.home.notebook import Notebook
    from probe.nats.link import NatsLink
    from probe.protocol.keys import Key

log = structlog.get_logger()
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
    """Delivers one probe's spool over a connection, and does the tasks: a withdrawal, and the given `tasks`."""

    def __init__(
        self, config: Config, key: Key, spool: Spool, notebook: Notebook, tasks: Sequence[VisitTask] = ()
    ) -> None:
        self.config = config
        self.spool = spool
        self.publisher = Publisher(config, key, spool, notebook)
        self.is_failing = False
        """Whether the last attempt to deliver failed."""
        self._tasks = (WithdrawalDelivery(config, key, spool.path.parent), *tasks)
        self._notebook = notebook

    def is_held(self) -> bool:
        """Whether the owner's pause or withdrawal forbids sending segments."""
        return bool(held(self.spool.path.parent))

    def has_urgent_task(self) -> bool:
        """Whether a visit is to be made even if there is nothing to deliver."""
        return any(t.is_urgent() for t in self._tasks)

    def is_forbidden(self) -> bool:
        """Whether no connection may be made now."""
        return self.is_held() and not self.has_urgent_task()

    async def has_waiting(self) -> bool:
        """Whether a visit would have something to deliver or to do."""
        spooled = await call(self.spool.spooled) or await call(self.spool.pending)
        return bool(spooled) or self.has_urgent_task()

    async def do_tasks(self, connection: NatsLink) -> int:
        """Do the tasks that are due. Returns the number of messages. Raises TimeoutError and ConnectionError."""
        return sum([await t.do(connection) for t in self._tasks if t.is_due()])

    async def seal(self, after_s: float) -> None:
        """Seal the runs that have waited for `after_s`."""
        with contextlib.suppress(UserError):  # the spool's errors are reported where a run is added
            await self.publisher.seal(after_s)

    async def guarded(self, work: Awaitable[int]) -> None:
        """Do a part of the delivery. Errors are logged and noted for `status`, and it is tried again later."""
        try:
            if await work:
                await call(self._notebook.note, delivered_ms=now_ms(), delivery_error="")
        except _CONNECTION_ERRORS as e:
            log_outage = log.debug if self.is_failing else log.warning  # one line for each outage
            log_outage("not delivered; will try again", error=str(e))
            await call(self._notebook.note, delivery_error=str(e))
            self.is_failing = True
        except UserError as e:
            log.error("the spool can't be used; will try again", error=e.message)  # noqa: TRY400 - the message is complete
        except Exception:
            log.exception("our own bug while delivering")
        else:
            self.is_failing = False

    async def log_what_waits(self) -> None:
        """Log how many segments wait when the probe stops."""
        left = await call(self.spool.spooled)
        if left:
            log.info("stopped with segments waiting; they are delivered after the next start", segments=left)

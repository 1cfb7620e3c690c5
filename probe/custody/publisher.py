"""Publishes segments from the spool to JetStream and takes receipts in.

NATS' acknowledgement of a segment frees nothing; the operator's signed receipt on `r.<probe>` does. When no receipt
comes, the probe asks on `q.<probe>` (see `probe.protocol.questions`), and the answer is a receipt. A segment that it
calls `unknown` is sent again under a new message id, since JetStream drops message ids that it has just seen; the
aggregator recognises copies by the segment's id.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec
import structlog

from probe.base.clock import now_ms
from probe.base.disk_thread import call
from probe.base.errors import UserError
from probe.base.private_file import write
from probe.home.files import LAST_SEGMENT
from probe.home.notebook import CLOCK_TOLERANCE_MS
from probe.nats.link import connect
from probe.protocol import receipt
from probe.protocol.measurement import EARLIEST_MS
from probe.protocol.questions import FatesRequest
from probe.protocol.receipt import SegmentFate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from nats.aio.msg import Msg

    from probe.custody.spool import Spool, UnsentSegment
    from probe.home.config import Config
    from probe.home.notebook import Notebook
    from probe.nats.link import NatsLink
    from probe.protocol.keys import Key

log = structlog.get_logger()

WINDOW = 16
"""How many segments may wait for their acknowledgement at once."""


class _Acknowledgement(msgspec.Struct, frozen=True):
    """The fields of JetStream's PubAck that matter here."""

    stream: str = ""
    error: dict[str, object] = {}


class Publisher:
    """Delivers one probe's spool over connections that `probe.custody.delivery` makes. It never drops anything.

    Clock offsets are noted in `notebook`.
    """

    def __init__(self, config: Config, key: Key, spool: Spool, notebook: Notebook) -> None:
        self._config = config
        self._key = key
        self._spool = spool
        self._notebook = notebook
        self.logged: set[str] = set()
        """Problems that have been logged, so that each is logged once."""
        self.settled = asyncio.Event()
        """Set with every receipt that was taken in."""

    def connection(self, urls: Sequence[str]) -> Awaitable[NatsLink]:
        """Make a connection to one of these collectors, as this probe."""
        return connect(
            urls,
            self._key,
            "probe",
            inbox_prefix=f"_INBOX_{self._key.id}",
            most_wait_s=self._config.reconnect_most_s,
            ca_file=self._config.ca_file,
        )

    async def listen(self, connection: NatsLink) -> None:
        """Take in the receipts that arrive over a connection."""
        await connection.subscribe(f"r.{self._key.id}", self._on_receipt)

    async def seal(self, after_s: float) -> None:
        """Seal the runs that have waited for `after_s`, and keep a copy of the newest segment for `show`."""
        if (at_ms := now_ms()) < EARLIEST_MS:
            return
        sealed = await call(self._spool.seal_due, self._key, at_ms, round(after_s * 1000))
        if sealed:
            with contextlib.suppress(UserError):
                await call(write, self._spool.path.with_name(LAST_SEGMENT), sealed[-1].raw)

    async def exchange(self, connection: NatsLink, timeout_s: float) -> int:
        """Send unsent segments and ask for receipts that are `timeout_s` late. Returns the number of messages.

        Raises TimeoutError or ConnectionError when it fails; the next call does what is left.
        """
        asked = await self._ask(connection, timeout_s)
        return asked + await self._send(connection)

    async def _send(self, connection: NatsLink) -> int:
        """Publish all unsent segments, a window at a time. Returns their number.

        Raises TimeoutError or ConnectionError after the first window with a failure.
        """
        count = 0
        while window := await call(self._spool.unsent, WINDOW):
            results = await asyncio.gather(*(self._publish(connection, u) for u in window), return_exceptions=True)
            for failure in (r for r in results if isinstance(r, BaseException)):
                raise failure
            count += len(window)
        return count

    async def _publish(self, connection: NatsLink, unsent: UnsentSegment) -> None:
        message_id = f"{unsent.id}.{unsent.attempt}" if unsent.attempt else unsent.id
        answer = await connection.request(
            f"m.{self._key.id}",
            unsent.raw,
            timeout_s=self._config.ack_timeout_s,
            headers={"Nats-Msg-Id": message_id},
        )
        try:
            acknowledged = msgspec.json.decode(answer.data, type=_Acknowledgement)
        except msgspec.DecodeError as e:
            raise ConnectionError(f"not JetStream's acknowledgement: {e}") from e
        if acknowledged.error or not acknowledged.stream:
            raise ConnectionError(f"JetStream refuses the segment: {acknowledged.error.get('description', '')}")
        await call(self._spool.mark_sent, unsent.id, now_ms())

    async def _ask(self, connection: NatsLink, timeout_s: float) -> int:
        """Ask about segments whose receipt is overdue. Returns the number of questions."""
        overdue = await call(self._spool.overdue, now_ms(), round(timeout_s * 1000))
        if not overdue:
            return 0
        question = msgspec.json.encode(FatesRequest(segments=tuple(overdue)))
        answer = await connection.request(f"q.{self._key.id}", question, timeout_s=self._config.ack_timeout_s)
        for segment_id in overdue:
            await call(self._spool.mark_sent, segment_id, now_ms())  # asked for again after the timeout
        await self._on_receipt(answer)
        return 1

    async def _on_receipt(self, message: Msg) -> None:
        """Take a receipt in, if the operator signed it for this probe; anything else changes nothing."""
        try:
            opened = receipt.open(message.data, self._config.operator)
        except receipt.ReceiptError as e:
            # Other clients can make the server send something to this subject, so log each problem only once.
            if str(e) not in self.logged:
                self.logged.add(str(e))
                log.warning("a message that is no valid receipt was ignored", error=str(e))
            return
        if opened.probe != self._key.id:
            log.warning("another probe's receipt was ignored")
            return
        try:
            await call(self._spool.settle, opened, now_ms())
        except UserError as e:
            log.error("a receipt can't be stored; its segments are asked for later", error=e.message)  # noqa: TRY400
        self.settled.set()
        await self._compare_clocks(opened.issued_ms)
        for entry in opened.entries:
            if isinstance(entry, SegmentFate) and entry.state == "rejected":
                log.warning("a segment was rejected", segment=entry.subject, reason=entry.reason)

    async def _compare_clocks(self, issued_ms: int) -> None:
        """Note how far this clock is off; a receipt's time in transit is less than the tolerance."""
        offset = now_ms() - issued_ms
        if abs(offset) > CLOCK_TOLERANCE_MS and "clock" not in self.logged:
            self.logged.add("clock")
            log.warning("this machine's clock is wrong; measurements keep its time", ahead_s=round(offset / 1000))
        await call(self._notebook.note, clock_offset_ms=offset, clock_compared_ms=now_ms())

"""From the spool to JetStream, and receipts back.

NATS' acknowledgement says that a segment is on its way, and frees nothing. The operator's signed receipt on
`r.<probe>` does. When none comes, the probe asks on `q.<probe>`, with `{"segments": [id, …]}`, and is answered with a
receipt. `unknown` in it means: send again, under a new message id, since JetStream swallows one it has just seen; the
aggregator tells copies by the segment's id.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import msgspec
import structlog

from probe import receipts
from probe.backoff import waits
from probe.connection import connect
from probe.disk import call
from probe.errors import UserError
from probe.measurement import EARLIEST_MS

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from probe.config import Config
    from probe.connection import Connection
    from probe.keys import Key
    from probe.spool import Spool, Unsent

log = structlog.get_logger()

WINDOW = 16
"""How many publishes wait for their acknowledgement at once."""

_FIRST_PAUSE_S = 0.5


class Question(msgspec.Struct, frozen=True):
    """What a probe asks on `q.<probe>`: what became of these segments?"""

    segments: tuple[str, ...]


class _Acknowledgement(msgspec.Struct, frozen=True):
    """JetStream's PubAck, as far as it matters here."""

    stream: str = ""
    error: dict[str, object] = {}


class Publisher:
    """Delivers one probe's spool for as long as it runs. It never gives up and never drops anything."""

    def __init__(self, config: Config, key: Key, spool: Spool) -> None:
        self._config = config
        self._key = key
        self._spool = spool
        self._tick_s = min(max(min(config.seal_s, config.receipt_timeout_s) / 4, 0.1), 5.0)
        self._pauses = waits(_FIRST_PAUSE_S, config.reconnect_most_s)
        self._not_before = 0.0
        self._failing = False
        self._told: set[str] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until told to stop; then seal and deliver the rest, for `flush_s` at most."""
        # The one place that says when there is a connection: now, for as long as the probe runs.
        connection = await connect(
            self._config.nats,
            self._key,
            "probe",
            inbox_prefix=f"_INBOX_{self._key.id}",
            most_wait_s=self._config.reconnect_most_s,
        )
        delivering = asyncio.create_task(self._deliver(connection))
        try:
            await stop.wait()
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)
            await self._flush(connection)
        finally:
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)
            await connection.close()

    async def _deliver(self, connection: Connection) -> None:
        await connection.subscribe(f"r.{self._key.id}", self._on_receipt)
        while True:
            await self._turn(connection, self._config.seal_s)
            await asyncio.sleep(self._tick_s)

    async def _flush(self, connection: Connection) -> None:
        self._not_before = 0.0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._config.flush_s):
                await self._turn(connection, 0.0)
                while await call(self._spool.spooled):
                    await asyncio.sleep(self._tick_s / 4)
                    await self._turn(connection, 0.0)
        left = await call(self._spool.spooled)
        if left:
            log.info("stopped with segments waiting; they are delivered after the next start", segments=left)

    async def _turn(self, connection: Connection, seal_after_s: float) -> None:
        """Seal what is due, then send and ask. Whatever goes wrong is tried again at a later turn."""
        try:
            if (now_ms := _now_ms()) >= EARLIEST_MS:
                await call(self._spool.seal_due, self._key, now_ms, round(seal_after_s * 1000))
            if connection.is_up and time.monotonic() >= self._not_before:
                await self._send(connection)
                await self._ask(connection)
                self._pauses = waits(_FIRST_PAUSE_S, self._config.reconnect_most_s)
                self._failing = False
        except (TimeoutError, ConnectionError) as e:
            self._not_before = time.monotonic() + next(self._pauses)
            say = log.debug if self._failing else log.warning  # one line for each outage
            say("not delivered; will try again", error=str(e))
            self._failing = True
        except UserError as e:
            log.error("the spool can't be used; will try again", error=e.message)  # noqa: TRY400 - it says all
        except Exception:
            log.exception("our own bug while delivering")

    async def _send(self, connection: Connection) -> None:
        """Publish everything unsent, a window at a time.

        Raises TimeoutError or ConnectionError once a window has a failure in it.
        """
        while window := await call(self._spool.unsent, WINDOW):
            results = await asyncio.gather(*(self._publish(connection, u) for u in window), return_exceptions=True)
            for failure in (r for r in results if isinstance(r, BaseException)):
                raise failure

    async def _publish(self, connection: Connection, unsent: Unsent) -> None:
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
        await call(self._spool.mark_sent, unsent.id, _now_ms())

    async def _ask(self, connection: Connection) -> None:
        """Ask what became of segments whose receipt is overdue."""
        timeout_ms = round(self._config.receipt_timeout_s * 1000)
        overdue = await call(self._spool.overdue, _now_ms(), timeout_ms)
        if not overdue:
            return
        question = msgspec.json.encode(Question(tuple(overdue)))
        answer = await connection.request(f"q.{self._key.id}", question, timeout_s=self._config.ack_timeout_s)
        for segment_id in overdue:
            await call(self._spool.mark_sent, segment_id, _now_ms())  # not asked for again before its time
        await self._on_receipt(answer)

    async def _on_receipt(self, message: Msg) -> None:
        """Take a receipt in, if the operator signed it and it is ours; anything else changes nothing."""
        try:
            receipt = receipts.open(message.data, self._config.operator)
        except receipts.ReceiptError as e:
            # Others can make the server send something here (its acknowledgement of theirs), so say it once only.
            if str(e) not in self._told:
                self._told.add(str(e))
                log.warning("not a receipt, left aside", error=str(e))
            return
        if receipt.probe != self._key.id:
            log.warning("another probe's receipt, left aside")
            return
        try:
            await call(self._spool.settle, receipt, _now_ms())
        except UserError as e:
            log.error("a receipt can't be noted; its segments are asked for later", error=e.message)  # noqa: TRY400
        for entry in receipt.entries:
            if entry.state == "rejected":
                log.warning("a segment was rejected", segment=entry.segment, reason=entry.reason)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

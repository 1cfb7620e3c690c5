"""From JetStream to the store, and receipts back: fetch a batch, take it in, publish receipts, acknowledge.

The order matters. A message is acknowledged last, so whatever is cut short comes again.
"""

from __future__ import annotations

import asyncio
import math
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec
import structlog
from nats.errors import Error as NatsError
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import BadRequestError

from aggregator import metrics
from aggregator.intake.ingest import BatchResult, IncomingSegment
from aggregator.store.store import StoreError
from probe.base.errors import UserError
from probe.base.retry import waits
from probe.protocol.keys import is_id
from probe.protocol.questions import Question, WatchRequest, WithdrawalRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js.client import JetStreamContext

    from aggregator.intake.ingest import Ingest
    from probe.nats.link import NatsLink

log = structlog.get_logger()

T = TypeVar("T")

STREAM = "MEASUREMENTS"
DURABLE = "aggregator"
BATCH = 256
"""Messages taken at once, at most: 16,384 measurements, one block."""
MAX_MESSAGE_BYTES = 64 * 1024

_ACK_WAIT_S = 5.0
_STILL_AT_IT_S = 1.5
"""What a dead aggregator had fetched comes again after the first; a live one says in time that it still works on it."""
_SET_ASIDE_S = 60.0
_UP_TO_DATE_S = 3.0
"""Who has not had the stream empty for that long doesn't know what still waits in it."""
_DUPLICATES_S = 120.0


class Consumer:
    """Takes the stream's messages in for as long as it runs."""

    def __init__(
        self,
        connection: NatsLink,
        ingest: Ingest,
        *,
        touched: Callable[[set[tuple[str, str]]], None],
        wait_s: float,
        max_bytes: int,
    ) -> None:
        """`touched` hears of (watch, provider) pairs with new rows. `wait_s` is how long a batch is gathered.

        `max_bytes` is the stream's limit: beyond it NATS refuses, and probes keep what they have.
        """
        self._connection = connection
        self._ingest = ingest
        self._touched = touched
        self._wait_s = wait_s
        self._max_bytes = max_bytes
        self._caught_up = -math.inf
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ingest")
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="questions")

    async def run(self, stop: asyncio.Event) -> None:
        """Take messages in until told to stop; a batch that was begun is finished."""
        await self._connection.subscribe("q.*", self._answer)
        pauses = waits(0.2, 10.0)
        while not stop.is_set():
            client = await _until(stop, self._connection.ready())
            if client is None:
                return
            try:
                subscription = await self._subscribe(client)
                while not stop.is_set():
                    await self._turn(client, subscription, stop)
                    pauses = waits(0.2, 10.0)
            except (NatsError, ConnectionError, TimeoutError) as e:
                metrics.NATS_FAILURES.inc()
                log.warning("the way to NATS broke; will try again", error=f"{type(e).__name__}: {e}")
                await _until(stop, asyncio.sleep(next(pauses)))

    def close(self) -> None:
        """End the threads. Waits for what is running."""
        self._thread.shutdown()
        self._asking.shutdown()

    async def make_stream(self) -> None:
        """Have NATS hold what probes publish, from now on. Raises UserError where it can't."""
        try:
            await self._make_stream((await self._connection.ready()).jetstream())
        except (NatsError, TimeoutError) as e:
            raise UserError(f"NATS can't keep the stream {STREAM}: {e}. JetStream must be enabled there.") from e

    async def _make_stream(self, js: JetStreamContext) -> None:
        stream = StreamConfig(
            name=STREAM,
            subjects=["m.*"],
            retention=RetentionPolicy.WORK_QUEUE,
            storage=StorageType.FILE,
            discard=DiscardPolicy.NEW,
            max_bytes=self._max_bytes,
            max_msg_size=MAX_MESSAGE_BYTES,
            duplicate_window=_DUPLICATES_S,
        )
        try:
            await js.add_stream(stream)
        except BadRequestError:  # it is there, with other limits
            await js.update_stream(stream)

    async def _subscribe(self, client: Client) -> JetStreamContext.PullSubscription:
        """The stream and the durable consumer as they should be, and a subscription to it."""
        js = client.jetstream()
        await self._make_stream(js)
        consumer = ConsumerConfig(
            durable_name=DURABLE,
            ack_policy=AckPolicy.EXPLICIT,
            deliver_policy=DeliverPolicy.ALL,
            ack_wait=_ACK_WAIT_S,
            max_ack_pending=4 * BATCH,
        )
        await js.add_consumer(STREAM, consumer)
        return await js.pull_subscribe_bind(durable=DURABLE, stream=STREAM)

    async def _turn(self, client: Client, subscription: JetStreamContext.PullSubscription, stop: asyncio.Event) -> None:
        try:
            messages = await subscription.fetch(BATCH, timeout=self._wait_s)
        except TimeoutError:
            messages = []
        fetched = time.monotonic()
        if not messages:  # nats-py says so in either of these ways
            self._caught_up = fetched
            return
        await self._take(client, messages, stop)
        if messages[-1].metadata.num_pending == 0:
            self._caught_up = fetched
            # A fetch gives what is there at once, and a batch of one costs nearly as much as one of a hundred.
            await _until(stop, asyncio.sleep(fetched + self._wait_s - time.monotonic()))

    async def _take(self, client: Client, messages: Sequence[Msg], stop: asyncio.Event) -> None:
        """Take a batch in. If it breaks on a bug of ours, message by message, so that one can't stop the others."""
        try:
            taken = await self._stored(messages, stop)
        except (NatsError, ConnectionError, TimeoutError):
            raise
        except Exception:
            if len(messages) > 1:
                log.exception("a batch broke; taking its messages one by one", messages=len(messages))
                for message in messages:
                    await self._take(client, [message], stop)
                return
            log.exception("our own bug; the message is set aside for a while", subject=messages[0].subject)
            await messages[0].nak(delay=_SET_ASIDE_S)
            return
        if taken is None:
            return
        for probe, receipt in taken.receipts.items():
            await client.publish(f"r.{probe}", receipt)
        for message in messages:
            await message.ack()
        self._touched(taken.touched)

    async def _stored(self, messages: Sequence[Msg], stop: asyncio.Event) -> BatchResult | None:
        """What came of a batch, tried until the store takes it; None when told to stop meanwhile."""
        batch = [IncomingSegment(m.subject.removeprefix("m."), m.data) for m in messages]
        pauses = waits(0.5, 30.0)
        while True:
            started = time.monotonic()
            try:
                taken = await self._working_on(messages, batch)
            except StoreError as e:
                metrics.STORE_FAILURES.inc()
                log.error("the store failed; will try again", error=str(e), segments=len(batch))  # noqa: TRY400 - it says all
                await _until(stop, asyncio.sleep(next(pauses)))
                if stop.is_set():
                    return None
            else:
                metrics.BATCH_SECONDS.observe(time.monotonic() - started)
                metrics.KNOWN_UNTIL.set(self._ingest.complete_ms / 1000)
                return taken

    async def _working_on(self, messages: Sequence[Msg], batch: Sequence[IncomingSegment]) -> BatchResult:
        """Take a batch in, in the thread, telling NATS now and then that it is being worked on."""
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._ingest.take, batch)
        while not (await asyncio.wait({work}, timeout=_STILL_AT_IT_S))[0]:
            for message in messages:
                await message.in_progress()
        return work.result()

    async def _answer(self, message: Msg) -> None:
        """Answer a probe: what became of its segments, whether there is a newer watch, that its withdrawal is kept.

        What makes no sense gets no answer.

        While messages wait in the stream, a segment that isn't stored may be among them: then nothing is said of it,
        or the probe would send it again, and the more the slower we are.
        """
        probe = message.subject.removeprefix("q.")
        work = self._work_on(probe, message.data)
        if work is None:
            log.warning("a question that makes no sense, left aside", subject=message.subject)
            return
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._asking, work)
            await message.respond(answer)
        except UserError as e:
            log.warning("a withdrawal that is none, left aside", error=e.message, subject=message.subject)
        except (StoreError, NatsError) as e:
            log.warning("a question went unanswered; it will be asked again", error=str(e))
        else:
            metrics.QUESTIONS.inc()

    def _work_on(self, probe: str, data: bytes) -> Callable[[], bytes] | None:
        """What answers a question; None for one that makes no sense."""
        try:
            asked = msgspec.json.decode(data, type=Question)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if not is_id(probe, "user"):
            return None
        if isinstance(asked, WithdrawalRequest):
            return partial(self._ingest.withdraw, probe, asked.line)
        if isinstance(asked, WatchRequest):
            return partial(self._ingest.renewal, asked.watch, asked.digest)
        sure = time.monotonic() - self._caught_up < _UP_TO_DATE_S
        return partial(self._ingest.answer, probe, asked.segments, sure=sure)


async def _until(stop: asyncio.Event, work: Awaitable[T]) -> T | None:
    """What `work` gives, or None when told to stop first."""
    doing, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return doing.result() if doing.done() else None
    finally:
        stopping.cancel()
        doing.cancel()

"""The aggregator's NATS side: batches from JetStream to the ingest and receipts back, and replies to questions.

A batch is fetched, taken in, receipted and only then acknowledged, so NATS delivers again whatever was interrupted.
"""

from __future__ import annotations

import asyncio
import math
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import structlog
from nats.errors import Error as NatsError

from aggregator import metrics
from aggregator.intake import stream
from aggregator.intake.ingest import BatchResult, IncomingSegment
from aggregator.store.store import StoreError
from probe.base.errors import UserError
from probe.base.retry import waits
from probe.base.stopping import stops_within, unless_stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js.client import JetStreamContext

    from aggregator.intake.ingest import Ingest
    from aggregator.intake.questions import QuestionHandler
    from probe.nats.link import NatsLink

log = structlog.get_logger()


BATCH = 256
"""Messages fetched at once, at most: 16,384 measurements, one block of the store."""

_IN_PROGRESS_S = 1.5
"""How often NATS is told that a batch is still being worked on: well within `stream.ACK_WAIT_S`."""
_NAK_DELAY_S = 60.0
"""When a message that triggered a bug of ours is delivered again."""
_CAUGHT_UP_FOR_S = 3.0
"""For so long after the stream was seen empty, a segment that isn't stored is taken to be unknown."""


class Consumer:
    """Takes in the stream's messages and answers questions for as long as it runs."""

    def __init__(
        self,
        connection: NatsLink,
        ingest: Ingest,
        questions: QuestionHandler,
        *,
        on_new_rows: Callable[[set[tuple[str, str]]], None],
        wait_s: float,
        max_bytes: int,
    ) -> None:
        """`on_new_rows` is called with `BatchResult.touched` after each batch. A batch is gathered for `wait_s`.

        `max_bytes` is the stream's limit: once it is full NATS refuses, and probes keep what they have.
        """
        self._connection = connection
        self._ingest = ingest
        self._questions = questions
        self._on_new_rows = on_new_rows
        self._wait_s = wait_s
        self._max_bytes = max_bytes
        self._caught_up_at = -math.inf
        self._ingest_thread = ThreadPoolExecutor(1, thread_name_prefix="ingest")
        self._question_thread = ThreadPoolExecutor(1, thread_name_prefix="questions")

    async def run(self, stop: asyncio.Event) -> None:
        """Take messages in until `stop` is set; a batch that was begun is finished."""
        await self._connection.subscribe("q.*", self._answer)
        pauses = waits(0.2, 10.0)
        while not stop.is_set():
            client = await unless_stopped(stop, self._connection.ready())
            if client is None:
                return
            try:
                subscription = await self._subscribe(client)
                while not stop.is_set():
                    await self._take_next(client, subscription, stop)
                    pauses = waits(0.2, 10.0)
            except (NatsError, ConnectionError, TimeoutError) as e:
                metrics.NATS_FAILURES.inc()
                log.warning("the connection to NATS failed; trying again", error=f"{type(e).__name__}: {e}")
                await stops_within(stop, next(pauses))

    def close(self) -> None:
        """End the threads. Waits for the calls that are running."""
        self._ingest_thread.shutdown()
        self._question_thread.shutdown()

    async def make_stream(self) -> None:
        """Make the stream, so that NATS keeps what probes publish from now on. Raises UserError where it can't."""
        try:
            await stream.make_stream((await self._connection.ready()).jetstream(), self._max_bytes)
        except (NatsError, TimeoutError) as e:
            raise UserError(f"NATS can't keep the stream {stream.STREAM}: {e}. Enable JetStream on that server.") from e

    async def _subscribe(self, client: Client) -> JetStreamContext.PullSubscription:
        js = client.jetstream()
        await stream.make_stream(js, self._max_bytes)
        return await stream.subscribe(js, 4 * BATCH)

    # -- batches

    async def _take_next(
        self, client: Client, subscription: JetStreamContext.PullSubscription, stop: asyncio.Event
    ) -> None:
        """Fetch one batch and take it in, or wait for up to `wait_s` where there is none."""
        try:
            messages = await subscription.fetch(BATCH, timeout=self._wait_s)
        except TimeoutError:
            messages = []
        fetched = time.monotonic()
        if not messages:  # nats-py reports an empty stream in either way
            self._caught_up_at = fetched
            return
        await self._take(client, messages, stop)
        if messages[-1].metadata.num_pending == 0:
            self._caught_up_at = fetched
            # A fetch returns at once with what there is, and a batch of one costs nearly as much as one of a hundred.
            await stops_within(stop, fetched + self._wait_s - time.monotonic())

    async def _take(self, client: Client, messages: Sequence[Msg], stop: asyncio.Event) -> None:
        """Take a batch in, send the receipts, acknowledge.

        A bug of ours must not stop every segment: the messages are then tried one by one, and one that fails alone is
        delivered again later.
        """
        try:
            result = await self._ingest_with_retries(messages, stop)
        except (NatsError, ConnectionError, TimeoutError):
            raise
        except Exception:
            if len(messages) > 1:
                log.exception("bug: a batch failed; trying its messages one by one", messages=len(messages))
                for message in messages:
                    await self._take(client, [message], stop)
                return
            log.exception("bug: a message failed; trying it again later", subject=messages[0].subject)
            await messages[0].nak(delay=_NAK_DELAY_S)
            return
        if result is None:
            return
        for probe, receipt in result.receipts.items():
            await client.publish(f"r.{probe}", receipt)
        for message in messages:
            await message.ack()
        self._on_new_rows(result.touched)

    async def _ingest_with_retries(self, messages: Sequence[Msg], stop: asyncio.Event) -> BatchResult | None:
        """The result of a batch, which is tried until the store takes it; None when `stop` was set meanwhile."""
        batch = [IncomingSegment(m.subject.removeprefix("m."), m.data) for m in messages]
        pauses = waits(0.5, 30.0)
        while True:
            started = time.monotonic()
            try:
                result = await self._ingest_in_thread(messages, batch)
            except StoreError as e:
                metrics.STORE_FAILURES.inc()
                # The store's message is enough: a traceback would add nothing.
                log.error("the store failed; trying again", error=str(e), segments=len(batch))  # noqa: TRY400
                await stops_within(stop, next(pauses))
                if stop.is_set():
                    return None
            else:
                metrics.BATCH_SECONDS.observe(time.monotonic() - started)
                metrics.KNOWN_UNTIL.set(self._ingest.complete_ms / 1000)
                return result

    async def _ingest_in_thread(self, messages: Sequence[Msg], batch: Sequence[IncomingSegment]) -> BatchResult:
        """Take a batch in, in the ingest's thread; meanwhile NATS is told that its messages are in progress."""
        work = asyncio.get_running_loop().run_in_executor(self._ingest_thread, self._ingest.take, batch)
        while not (await asyncio.wait({work}, timeout=_IN_PROGRESS_S))[0]:
            for message in messages:
                await message.in_progress()
        return work.result()

    # -- questions

    async def _answer(self, message: Msg) -> None:
        """Reply to a question. One that is invalid, or that the store can't answer now, gets no reply."""
        is_caught_up = time.monotonic() - self._caught_up_at < _CAUGHT_UP_FOR_S
        probe = message.subject.removeprefix("q.")
        answer = partial(self._questions.answer, probe, message.data, is_caught_up=is_caught_up)
        try:
            await message.respond(await asyncio.get_running_loop().run_in_executor(self._question_thread, answer))
        except UserError as e:
            log.warning("a question got no reply", error=e.message, subject=message.subject)
        except (StoreError, NatsError) as e:
            log.warning("a question got no reply; the probe will ask again", error=str(e))
        else:
            metrics.QUESTIONS.inc()

"""A collector without a store that signs receipts, for the tests of delivery."""

from __future__ import annotations

import asyncio
import contextlib
import time

import msgspec

from probe.base.clock import now_ms
from probe.nats.link import connect
from probe.protocol import receipt, segment
from probe.protocol.keys import Key
from probe.protocol.questions import FatesRequest, Question
from probe.protocol.receipt import Receipt, SegmentFate


class FakeCollector:
    """An aggregator without a store: fetches segments from the real stream, checks them, and signs real receipts.

    `seen` maps ids of received segments to their Segment, `deliveries` lists the id of each received copy, `asked` the
    ids that probes asked about. With `mute` it sends receipts only as answers, with `forgetful` it answers that every
    segment is unknown.
    """

    def __init__(self, operator: Key) -> None:
        self.operator = operator
        self.seen: dict = {}
        self.deliveries: list[str] = []
        self.asked: list[str] = []
        self.mute = False
        self.forgetful = False
        self.newer_watch = b""
        """The answer to a question that is not about segments: the signed text of a newer watch, or nothing."""

    @contextlib.asynccontextmanager
    async def at(self, url, key):
        """Collect from a server while the context is entered."""
        self.connection = await connect([url], key, "collector", within_s=10, most_wait_s=0.5)
        js = (await self.connection.ready()).jetstream()
        await js.add_stream(
            name="MEASUREMENTS", subjects=["m.*"], retention="workqueue", discard="new", max_bytes=2**24,
            max_msg_size=65536,
        )  # fmt: skip
        await self.connection.subscribe("q.*", self._answer)
        self._is_closed = False
        task = asyncio.create_task(self._collect())
        try:
            yield self
        finally:
            self._is_closed = True  # a cancellation alone can get lost in the NATS client's `fetch`
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.connection.close()

    async def _collect(self):
        while not self._is_closed:
            with contextlib.suppress(Exception):
                client = await self.connection.ready()
                queue = await client.jetstream().pull_subscribe("m.*", durable="test", stream="MEASUREMENTS")
                while client.is_connected and not self._is_closed:
                    with contextlib.suppress(TimeoutError):
                        for message in await queue.fetch(64, timeout=0.5):
                            await self._take(client, message)
            await asyncio.sleep(0.05)

    async def _take(self, client, message):
        opened = segment.open(message.data)
        self.deliveries.append(opened.id)
        self.seen[opened.id] = opened.segment
        await message.ack()
        if not self.mute:
            await client.publish(f"r.{opened.segment.probe}", self.receipt(opened.segment.probe, {opened.id: "stored"}))

    async def _answer(self, message):
        question = msgspec.json.decode(message.data, type=Question)
        if not isinstance(question, FatesRequest):
            await message.respond(self.newer_watch)  # it keeps no withdrawal
            return
        ids = question.segments
        self.asked += ids
        known = {} if self.forgetful else self.seen
        states = {i: "stored" if i in known else "unknown" for i in ids}
        await message.respond(self.receipt(message.subject[2:], states))

    def receipt(self, probe, states, reason=""):
        """A signed receipt."""
        entries = tuple(SegmentFate(subject=i, state=s, reason=reason) for i, s in states.items())
        return receipt.sign(Receipt(probe=probe, issued_ms=now_ms(), entries=entries), self.operator)


async def eventually(condition, within_s=10.0):
    """Wait until a condition holds; fail with its last value when it doesn't in time."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still {value!r} after {within_s} s"
        await asyncio.sleep(0.02)
    return value

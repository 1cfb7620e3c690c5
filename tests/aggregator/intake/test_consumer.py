"""Messages from JetStream are stored and receipted, and one that fails does not stop the others."""

import asyncio
import contextlib
import math
import time

import pytest

from aggregator.intake.consumer import Consumer
from aggregator.intake.ingest import Ingest
from aggregator.intake.questions import QuestionHandler
from aggregator.judging import rule_set
from aggregator.store.store import StoreError
from infra.nats import nats_server
from probe.base.clock import now_ms
from probe.nats.link import connect
from probe.protocol import receipt, segment
from probe.protocol.keys import Key
from tests.support.factory import TEST_WATCH, dc, measurement
from tests.support.fake_collector import eventually
from tests.support.fake_probe import Sender

OPERATOR = Key.create("operator")
AGGREGATOR = Key.create("user")


class FailingIngest(Ingest):
    """An ingest that raises for the segment with the id `poison`, and whose store fails `failures` times."""

    poison = ""
    failures = 0

    def take(self, batch):
        """Take a batch, or raise."""
        if any(segment.segment_id(m.raw) == self.poison for m in batch):
            raise ValueError("a bug")
        if self.failures:
            self.failures -= 1
            raise StoreError("gone")
        return super().take(batch)


@pytest.fixture
async def sender(store, tmp_path):
    """A probe connected to a real NATS server, and a consumer that isn't running yet."""
    probe = Key.create("user")
    with nats_server.running(tmp_path, core_users=[AGGREGATOR.id], probes=[probe.id]) as server:
        connection = await connect([server.url], AGGREGATOR, "aggregator", within_s=10)
        ingest = FailingIngest(store, OPERATOR, {"test": TEST_WATCH}, rule_set.load(rule_set.newest()))
        ingest.repair()
        touched = []
        questions = QuestionHandler(store, OPERATOR, {"test": TEST_WATCH})
        consumer = Consumer(connection, ingest, questions, on_new_rows=touched.append, wait_s=0.2, max_bytes=1 << 24)
        await consumer.make_stream()
        connected = Sender(probe, OPERATOR.id)
        connected.ingest, connected.consumer, connected.touched = ingest, consumer, touched
        async with connected.at(server.url):
            yield connected
        consumer.close()
        await connection.close()


@contextlib.asynccontextmanager
async def consuming(sender):
    """Run the consumer for the duration of a block; it must then stop within 10 s."""
    stop = asyncio.Event()
    running = asyncio.create_task(sender.consumer.run(stop))
    try:
        await eventually(lambda: sender.consumer._connection._subscriptions, within_s=10)
        yield
    finally:
        stop.set()
        await asyncio.wait_for(running, 10)


def measured_now():
    """A measurement made now."""
    return measurement("app", dc(1), at_ms=now_ms())


async def test_a_segment_that_triggers_a_bug_is_set_aside_and_the_others_are_stored(sender):
    """It stays in the stream, so the probe loses nothing by our bug."""
    bad = await sender.send(measured_now())
    sender.ingest.poison = bad.id
    good = [await sender.send(measured_now()) for _ in range(3)]
    async with consuming(sender):
        await eventually(lambda: len(sender.told) == 3, within_s=20)
    assert sender.told == {s.id: "stored" for s in good}
    js = (await sender.consumer._connection.ready()).jetstream()
    assert (await js.stream_info("MEASUREMENTS")).state.messages == 1


async def test_a_batch_is_tried_again_while_the_store_fails(sender):
    """No receipt is sent before the store has taken it."""
    sender.ingest.failures = 2
    sent = await sender.send(measured_now())
    started = time.monotonic()
    async with consuming(sender):
        await eventually(lambda: sender.told, within_s=20)
    assert sender.told == {sent.id: "stored"}
    assert time.monotonic() - started > 0.5
    assert sender.touched == [{("test", "north-fixed")}]


async def test_the_consumer_stops_while_the_store_fails(sender):
    """The messages stay in the stream, without a receipt."""
    sender.ingest.failures = math.inf
    await sender.send(measured_now())
    async with consuming(sender):
        await eventually(lambda: sender.ingest.failures, within_s=5)
        await asyncio.sleep(0.5)
    assert sender.told == {}


async def test_a_consumer_that_is_behind_calls_no_segment_unknown(sender, monkeypatch):
    """A segment may still wait in the stream, and the probe would send again what is called unknown."""
    async with consuming(sender):
        await eventually(lambda: sender.consumer._caught_up_at > 0, within_s=10)
        assert await sender.ask("0" * 32) == {"0" * 32: "unknown"}
        monkeypatch.setattr("aggregator.intake.consumer._CAUGHT_UP_FOR_S", 0.0)
        assert await sender.ask("0" * 32) == {}


@pytest.mark.parametrize("question", [b"", b"[]", b"\xff", b'{"segments": ["%s"]}' % (b"0" * 32)])
async def test_a_malformed_question_gets_no_reply(sender, question):
    """The next question, which is well-formed, gets one."""
    async with consuming(sender):
        await eventually(lambda: sender.consumer._caught_up_at > 0, within_s=10)
        with pytest.raises(TimeoutError):
            await sender.connection.request(f"q.{sender.key.id}", question, timeout_s=0.3)
        assert await sender.ask("0" * 32)


async def test_receipts_are_signed_by_the_operator(sender):
    """A probe that trusts another key accepts none of them."""
    sent = await sender.send(measured_now())
    received = []

    async def keep(message):
        received.append(message.data)

    await sender.connection.subscribe(f"r.{sender.key.id}", keep)
    async with consuming(sender):
        await eventually(lambda: received, within_s=20)
    assert receipt.open(received[0], OPERATOR.id).entries[0].subject == sent.id
    with pytest.raises(receipt.ReceiptError):
        receipt.open(received[0], Key.create("operator").id)

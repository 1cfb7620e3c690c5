"""What comes from JetStream is taken in, and nothing that goes wrong on the way stops what comes after."""

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
from probe.nats.link import connect
from probe.protocol import receipt, segment
from probe.protocol.keys import Key
from tests.support.aggregators import TEST_WATCH, dc, measurement
from tests.support.fake_collector import eventually, now_ms
from tests.support.fake_probe import Sender

OPERATOR = Key.create("operator")
AGGREGATOR = Key.create("user")


class Troubled(Ingest):
    """An aggregator that breaks on some segments, and whose store fails for a while."""

    poison = ""
    failures = 0

    def take(self, batch):
        """Take a batch, or break."""
        if any(segment.segment_id(m.raw) == self.poison for m in batch):
            raise ValueError("a bug of ours")
        if self.failures:
            self.failures -= 1
            raise StoreError("gone")
        return super().take(batch)


@pytest.fixture
async def way(store, tmp_path):
    """A probe, a real server and a consumer that isn't running yet."""
    probe = Key.create("user")
    with nats_server.running(tmp_path, core_users=[AGGREGATOR.id], probes=[probe.id]) as server:
        connection = await connect([server.url], AGGREGATOR, "aggregator", within_s=10)
        ingest = Troubled(store, OPERATOR, {"test": TEST_WATCH}, rule_set.load(rule_set.newest()))
        ingest.repair()
        touched = []
        questions = QuestionHandler(store, OPERATOR, {"test": TEST_WATCH})
        consumer = Consumer(connection, ingest, questions, on_new_rows=touched.append, wait_s=0.2, max_bytes=1 << 24)
        await consumer.make_stream()
        sender = Sender(probe, OPERATOR.id)
        sender.ingest, sender.consumer, sender.touched = ingest, consumer, touched
        async with sender.at(server.url):
            yield sender
        consumer.close()
        await connection.close()


@contextlib.asynccontextmanager
async def consuming(way):
    """The consumer runs for the time of a block, and ends when told to."""
    stop = asyncio.Event()
    running = asyncio.create_task(way.consumer.run(stop))
    try:
        await eventually(lambda: way.consumer._connection._subscriptions, within_s=10)
        yield
    finally:
        stop.set()
        await asyncio.wait_for(running, 10)


def one():
    """A measurement made now."""
    return measurement("app", dc(1), at_ms=now_ms())


async def test_a_segment_that_breaks_us_is_set_aside_and_the_others_get_through(way):
    """It stays in the stream: what is our bug is not the probe's loss."""
    bad = await way.send(one())
    way.ingest.poison = bad.id
    good = [await way.send(one()) for _ in range(3)]
    async with consuming(way):
        await eventually(lambda: len(way.told) == 3, within_s=20)
    assert way.told == {s.id: "stored" for s in good}
    js = (await way.consumer._connection.ready()).jetstream()
    assert (await js.stream_info("MEASUREMENTS")).state.messages == 1


async def test_a_store_that_fails_is_tried_again(way):
    """Without a receipt in between."""
    way.ingest.failures = 2
    sent = await way.send(one())
    started = time.monotonic()
    async with consuming(way):
        await eventually(lambda: way.told, within_s=20)
    assert way.told == {sent.id: "stored"}
    assert time.monotonic() - started > 0.5
    assert way.touched == [{("test", "north-fixed")}]


async def test_told_to_stop_while_the_store_fails_it_stops(way):
    """The messages stay where they are."""
    way.ingest.failures = math.inf
    await way.send(one())
    async with consuming(way):
        await eventually(lambda: way.ingest.failures, within_s=5)
        await asyncio.sleep(0.5)
    assert way.told == {}


async def test_who_is_behind_calls_nothing_unknown(way, monkeypatch):
    """A segment may still wait in the stream; said to be unknown, it would be sent again."""
    async with consuming(way):
        await eventually(lambda: way.consumer._caught_up_at > 0, within_s=10)
        assert await way.ask("0" * 32) == {"0" * 32: "unknown"}
        monkeypatch.setattr("aggregator.intake.consumer._CAUGHT_UP_FOR_S", 0.0)
        assert await way.ask("0" * 32) == {}


@pytest.mark.parametrize("question", [b"", b"[]", b"\xff", b'{"segments": ["%s"]}' % (b"0" * 32)])
async def test_a_question_that_makes_no_sense_gets_no_answer(way, question):
    """And the next one does."""
    async with consuming(way):
        await eventually(lambda: way.consumer._caught_up_at > 0, within_s=10)
        with pytest.raises(TimeoutError):
            await way.connection.request(f"q.{way.key.id}", question, timeout_s=0.3)
        assert await way.ask("0" * 32)


async def test_receipts_are_the_operators(way):
    """A probe that trusts another key takes none of them."""
    sent = await way.send(one())
    heard = []

    async def hear(message):
        heard.append(message.data)

    await way.connection.subscribe(f"r.{way.key.id}", hear)
    async with consuming(way):
        await eventually(lambda: heard, within_s=20)
    assert receipt.open(heard[0], OPERATOR.id).entries[0].subject == sent.id
    with pytest.raises(receipt.ReceiptError):
        receipt.open(heard[0], Key.create("operator").id)

"""What is spooled is delivered, is freed by the operator's receipt alone, and waits as long as necessary."""

import asyncio
import contextlib

import pytest

from infra.nats import nats_server
from probe.base.clock import now_ms
from probe.custody.spool import Spool
from probe.home.config import Config
from probe.protocol.keys import Key
from tests.support.deliveries import delivering
from tests.support.factory import app_run
from tests.support.fake_collector import FakeCollector, eventually

CORE, PROBE, OPERATOR = Key.create("user"), Key.create("user"), Key.create("operator")


@pytest.fixture
def server(tmp_path):
    """A server that knows the probe."""
    with nats_server.running(tmp_path / "nats", core_users=[CORE.id], probes=[PROBE.id]) as running:
        yield running


@pytest.fixture
def collector():
    """Signs as the operator."""
    return FakeCollector(OPERATOR)


@pytest.fixture
def spool(tmp_path):
    """The probe's spool."""
    opened = Spool(tmp_path / "probe" / "spool.db")
    yield opened
    opened.close()


@contextlib.asynccontextmanager
async def publishing(url, spool, **settings):
    """A delivery that runs while the context is entered; it is stopped and flushed at its end."""
    quick = {
        "deliver_every_s": 0,
        "seal_s": 0.1,
        "receipt_timeout_s": 0.3,
        "ack_timeout_s": 1,
        "flush_s": 5,
        "reconnect_most_s": 0.3,
    }
    config = Config(data="unused", watch="unused", nats=(url,), operator=OPERATOR.id, **(quick | settings))
    async with delivering(config, PROBE, spool):
        yield


def states(spool):
    """The state of each segment, in order."""
    return [e.state for e in spool.ledger()]


async def test_what_is_spooled_is_delivered_once_and_freed(server, collector, spool):
    """Added, sealed, published, receipted."""
    run = app_run(3)
    async with collector.at(server.url, CORE), publishing(server.url, spool):
        spool.add(run)
        await eventually(lambda: states(spool) == ["stored"])
    assert [s.measurements for s in collector.seen.values()] == [run]
    assert len(collector.deliveries) == 1


async def test_a_lost_receipt_is_asked_for(server, collector, spool):
    """The collector sends no receipt by itself: the probe asks for it, and nothing is sent twice."""
    collector.mute = True
    async with collector.at(server.url, CORE), publishing(server.url, spool):
        spool.add(app_run(1))
        await eventually(lambda: states(spool) == ["stored"])
    assert len(collector.deliveries) == 1
    assert set(collector.asked) == set(collector.seen)


async def test_a_segment_that_the_store_does_not_know_is_sent_again(server, collector, spool):
    """It passes JetStream's duplicate check, with the same id and bytes."""
    collector.mute = collector.forgetful = True
    async with collector.at(server.url, CORE), publishing(server.url, spool):
        spool.add(app_run(1))
        await eventually(lambda: len(collector.deliveries) >= 2)
        assert states(spool) == ["spooled"]
        collector.forgetful = False
        await eventually(lambda: states(spool) == ["stored"])
    assert len(set(collector.deliveries)) == 1


async def test_a_rejected_segment_is_freed_and_says_why(server, collector, spool):
    """The ledger keeps its id and the reason."""
    collector.mute = collector.forgetful = True
    async with collector.at(server.url, CORE), publishing(server.url, spool, receipt_timeout_s=60):
        spool.add(app_run(1))
        (segment_id,) = await eventually(lambda: collector.deliveries)
        client = await collector.connection.ready()
        await client.publish(f"r.{PROBE.id}", collector.receipt(PROBE.id, {segment_id: "rejected"}, "shape"))
        await eventually(lambda: states(spool) == ["rejected"])
    assert spool.ledger()[0].reason == "shape"


async def test_no_other_message_frees_anything(server, collector, spool):
    """Another operator's signature, another probe's receipt, and noise."""
    collector.mute = True
    async with collector.at(server.url, CORE), publishing(server.url, spool, receipt_timeout_s=60, flush_s=0.1):
        spool.add(app_run(1))
        (segment_id,) = await eventually(lambda: collector.deliveries)
        client = await collector.connection.ready()
        forger = FakeCollector(Key.create("operator"))
        for word in (
            forger.receipt(PROBE.id, {segment_id: "stored"}),
            collector.receipt(Key.create("user").id, {segment_id: "stored"}),
            b"BO1R" + bytes(200),
            b"",
        ):
            await client.publish(f"r.{PROBE.id}", word)
        await client.flush()
        await asyncio.sleep(0.3)
        assert states(spool) == ["spooled"]


async def test_a_backlog_waits_for_nats_and_is_delivered_whole(tmp_path, collector, spool):
    """No server at first; then a server without a stream; then everything arrives, in its own segments."""
    config = nats_server.write_config(tmp_path / "nats", core_users=[CORE.id], probes=[PROBE.id])
    server = nats_server.Server(config)
    server.start()  # picks the port
    server.stop()
    runs = [app_run(10) for _ in range(40)]
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(server.stop)
        async with publishing(server.url, spool, ack_timeout_s=0.5):
            for run in runs:
                spool.add(run)
            await eventually(lambda: spool.pending() == 0)
            server.start()
            await asyncio.sleep(0.5)
            assert set(states(spool)) == {"spooled"}
            async with collector.at(server.url, CORE):
                await eventually(lambda: set(states(spool)) == {"stored"})
    came = [m for s in sorted(collector.seen.values(), key=lambda s: s.sequence) for m in s.measurements]
    assert came == [m for run in runs for m in run]


async def test_a_killed_server_loses_nothing(server, collector, spool):
    """What was in transit when the server died arrives after it is back."""
    async with collector.at(server.url, CORE), publishing(server.url, spool, flush_s=10):
        for _ in range(3):
            for _ in range(5):
                spool.add(app_run(2))
                await asyncio.sleep(0.05)
            server.kill()
            spool.add(app_run(2))
            await asyncio.sleep(0.1)
            server.start()
        await eventually(lambda: spool.pending() == 0 and set(states(spool)) == {"stored"}, 20)
    assert {e.segment_id for e in spool.ledger()} == set(collector.seen)
    assert sum(len(s.measurements) for s in collector.seen.values()) == 36


async def test_stopping_without_a_server_ends_in_time(spool):
    """What could not be delivered is sealed and stays."""
    before = now_ms()
    async with publishing("nats://127.0.0.1:1", spool, seal_s=60, flush_s=0.5):
        spool.add(app_run(1))
    assert now_ms() - before < 3000
    assert states(spool) == ["spooled"]

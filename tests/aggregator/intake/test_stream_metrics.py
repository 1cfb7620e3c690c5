"""How full the stream is, as the metrics say."""

import asyncio

from aggregator import metrics
from aggregator.intake import stream_metrics
from aggregator.intake.stream import make_stream
from infra.nats import nats_server
from probe.nats.link import connect
from probe.protocol.keys import Key
from tests.support.fake_collector import eventually

AGGREGATOR = Key.create("user")


async def test_what_waits_in_the_stream_is_counted(tmp_path, monkeypatch):
    """Messages and bytes grow as probes publish while nobody takes them; the limit is told beside them."""
    monkeypatch.setattr(stream_metrics, "EVERY_S", 0.1)
    stop = asyncio.Event()
    with nats_server.running(tmp_path, core_users=[AGGREGATOR.id], probes=[]) as server:
        connection = await connect([server.url], AGGREGATOR, "aggregator", within_s=10)
        client = await connection.ready()
        await make_stream(client.jetstream(), 1 << 24)
        watching = asyncio.create_task(stream_metrics.watch_stream(connection, stop))
        await eventually(lambda: metrics.STREAM_MAX_BYTES._value.get() == 1 << 24)
        assert metrics.STREAM_MESSAGES._value.get() == 0
        for n in range(3):
            await client.jetstream().publish("m.someone", bytes(1000 + n))
        await eventually(lambda: metrics.STREAM_MESSAGES._value.get() == 3)
        assert 3000 < metrics.STREAM_BYTES._value.get() < 4000
        server.kill()
        await asyncio.sleep(0.5)
        assert metrics.STREAM_MESSAGES._value.get() == 3
        stop.set()
        await asyncio.wait_for(watching, 5)
        await connection.close()

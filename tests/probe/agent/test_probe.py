"""A whole probe: it measures with real sockets, delivers over a real broker, and survives failures."""

import asyncio
import contextlib
import itertools
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from infra.nats import nats_server
from probe.agent.probe import Probe
from probe.base.clock import now_ms
from probe.custody.spool import Spool, read_ledger
from probe.custody.spool_lock import SpoolError
from probe.home.config import Config, VantageConfig
from probe.net.network import Network
from probe.protocol import watch_file
from probe.protocol.keys import Key
from tests.support.factory import APP_WATCH
from tests.support.fake_collector import FakeCollector, eventually
from tests.support.servers import MappedDialer, refusing

CORE, OPERATOR = Key.create("user"), Key.create("operator")
CADENCE_S = 0.4


@pytest.fixture
def network(authority):
    """A network that reaches nothing: every failure of it is data."""
    with refusing() as port:
        yield Network(MappedDialer(resolver=port), authority.file)


@pytest.fixture
def config(tmp_path):
    """A probe's configuration without its server."""
    return Config(
        data=str(tmp_path / "probe"), watch=str(tmp_path / "watch.signed"), nats=("nats://127.0.0.1:1",),
        operator=OPERATOR.id, deliver_every_s=0,
        seal_s=0.3, receipt_timeout_s=0.5, ack_timeout_s=1, flush_s=5, reconnect_most_s=0.3,
        vantage=VantageConfig(asn=64500, access="fixed", line="a"),
    )  # fmt: skip


@pytest.fixture
def server(tmp_path, config):
    """A server that knows the probe of the configuration."""
    key = Key.load_or_create(config.key_file, "user")
    with nats_server.running(tmp_path / "nats", core_users=[CORE.id], probes=[key.id]) as running:
        yield running


@contextlib.asynccontextmanager
async def running(probe):
    """A probe that runs while the context is entered."""
    stop = asyncio.Event()
    task = asyncio.create_task(probe.run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


def watch(cadence_s=CADENCE_S):
    """The tests' watch."""
    return watch_file.read(APP_WATCH.format(cadence_s=cadence_s).encode(), "test")


def with_server(config, server):
    """The configuration with the server in it."""
    return msgspec.structs.replace(config, nats=(server.url,))


async def test_runs_are_measured_at_the_cadence_and_delivered_whole(config, server, network):
    """Several runs, each with all its checks in one segment, and all of them freed."""
    collector = FakeCollector(OPERATOR)
    probe = Probe(with_server(config, server), network, watch())
    async with collector.at(server.url, CORE):
        async with running(probe):
            await eventually(lambda: sum(len(s.measurements) for s in collector.seen.values()) >= 5)
        assert {e.state for e in read_ledger(config.spool_file)} == {"stored"}
    segments = sorted(collector.seen.values(), key=lambda s: s.sequence)
    assert [s.sequence for s in segments] == list(range(1, len(segments) + 1))
    assert {s.probe for s in segments} == {probe.id}
    times = sorted(m.at_ms for s in segments for m in s.measurements)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert min(gaps) > CADENCE_S * 1000 * 0.7
    one = segments[0].measurements[0]
    assert (one.watch, one.vantage.asn, one.vantage.line, one.vantage.access_how) == ("test", 64500, "a", "configured")
    assert one.steps
    assert all(s.failure for s in one.steps if s.op == "connect")


async def test_without_nats_it_goes_on_measuring_and_delivers_later(tmp_path, config, network):
    """Everything arrives, with the time when it was measured."""
    key = Key.load_or_create(config.key_file, "user")
    server = nats_server.Server(nats_server.write_config(tmp_path / "nats", core_users=[CORE.id], probes=[key.id]))
    server.start()
    server.stop()
    settings = msgspec.structs.replace(with_server(config, server), flush_s=0.1)
    collector = FakeCollector(OPERATOR)
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(server.stop)
        async with running(Probe(settings, network, watch())):
            await asyncio.sleep(CADENCE_S * 5)
            away_until = now_ms()
            server.start()
            async with collector.at(server.url, CORE):
                await eventually(lambda: sum(len(s.measurements) for s in collector.seen.values()) >= 6)
    early = [m for s in collector.seen.values() for m in s.measurements if m.at_ms < away_until]
    assert len(early) >= 3


async def test_once_measures_keeps_and_delivers_one_run(config, server, network):
    """What it returns is what is delivered."""
    collector = FakeCollector(OPERATOR)
    async with collector.at(server.url, CORE):
        run = await Probe(with_server(config, server), network, watch(600)).once()
    assert [s.measurements for s in collector.seen.values()] == [run]


async def test_an_expired_watch_stops_measuring_but_not_delivering(config, server, network):
    """Waiting segments are still delivered; nothing new is measured."""
    collector = FakeCollector(OPERATOR)
    expired = msgspec.structs.replace(watch(), expires="2025-01-01")
    await Probe(msgspec.structs.replace(config, flush_s=0.1), network, watch()).once()
    async with collector.at(server.url, CORE), running(Probe(with_server(config, server), network, expired)):
        await eventually(lambda: collector.seen)
        await asyncio.sleep(CADENCE_S * 3)
    assert sum(len(s.measurements) for s in collector.seen.values()) == 1


async def test_the_monthly_cap_stops_measuring(config, network):
    """Nothing is measured once the month's data is used up."""
    capped = msgspec.structs.replace(config, monthly_mb=1, flush_s=0.1)
    spool = Spool(config.spool_file)
    spool._db.execute("INSERT INTO traffic VALUES (strftime('%Y-%m', 'now'), 1000000)")
    spool.close()
    async with running(Probe(capped, network, watch())):
        await asyncio.sleep(CADENCE_S * 3)
    assert read_ledger(config.spool_file) == []


async def test_while_the_disk_is_full_nothing_is_measured_and_the_last_run_is_kept(
    config, server, network, monkeypatch
):
    """While the spool refuses a run, nothing more is measured; when there is room again, that run is added first."""
    refused, add = [], Spool.add

    def full_at_first(self, run):
        if len(refused) < 4:
            refused.append(run)
            raise SpoolError("spool: full")
        add(self, run)

    monkeypatch.setattr("probe.agent.probe.waits", lambda *_: itertools.repeat(0.1))
    monkeypatch.setattr(Spool, "add", full_at_first)
    collector = FakeCollector(OPERATOR)
    async with collector.at(server.url, CORE), running(Probe(with_server(config, server), network, watch())):
        await eventually(lambda: len(collector.seen) >= 2)
    assert all(run is refused[0] for run in refused)
    first = min(collector.seen.values(), key=lambda s: s.sequence)
    assert first.measurements[:1] == refused[0]


PROBE = """
import asyncio, sys
from pathlib import Path
from probe.agent import daemon
from probe.agent.probe import Probe
from probe.custody.watch_renewal import signed_watch
from probe.home import config
from probe.net.network import Network
from tests.support.servers import MappedDialer, refusing
settings = config.load(Path(sys.argv[1]), {})
with refusing() as port:
    network = Network(MappedDialer(resolver=port), Path(sys.argv[2]))
    probe = Probe(settings, network, signed_watch(Path(settings.watch), settings.operator))
    asyncio.run(daemon.run_until_signal(probe))
"""


@contextlib.contextmanager
def start(tmp_path, config, server, authority):
    """A probe in a process of its own, as `blockonset probe run` runs it, over a network that reaches nothing."""
    Path(config.watch).write_bytes(watch_file.sign(APP_WATCH.format(cadence_s=CADENCE_S).encode(), OPERATOR))
    file = tmp_path / "probe.toml"
    file.write_text(
        f'data = "{config.data}"\nwatch = "{config.watch}"\nnats = ["{server.url}"]\noperator = "{OPERATOR.id}"\n'
        "deliver_every_s = 0\nseal_s = 0.2\nreceipt_timeout_s = 0.5\nreconnect_most_s = 0.3\n[vantage]\nasn = 64500\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", PROBE, str(file), str(authority.file)], cwd=Path(__file__).parents[3]
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_killed_between_publish_and_receipt_it_loses_nothing(tmp_path, config, server, authority):
    """After several kill -9 while the collector sends no receipts, every sealed segment is stored once."""
    collector = FakeCollector(OPERATOR)
    collector.mute = collector.forgetful = True
    async with collector.at(server.url, CORE):
        for _ in range(3):
            collector.deliveries.clear()
            with start(tmp_path, config, server, authority) as process:
                await eventually(lambda: collector.deliveries, 20)
                process.send_signal(signal.SIGKILL)
        assert "spooled" in {e.state for e in read_ledger(config.spool_file)}
        collector.mute = collector.forgetful = False
        with start(tmp_path, config, server, authority) as process:
            await eventually(lambda: "spooled" not in {e.state for e in read_ledger(config.spool_file)[:3]}, 20)
            process.send_signal(signal.SIGTERM)
            code = await asyncio.to_thread(process.wait)
    assert code == 0
    ledger = read_ledger(config.spool_file)
    assert {e.state for e in ledger} == {"stored"}
    assert {e.segment_id for e in ledger} == set(collector.seen)
    runs = [m.run_id for s in collector.seen.values() for m in s.measurements]
    assert len(runs) == len(set(runs))

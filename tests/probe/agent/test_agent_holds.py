"""What keeps a probe from measuring, and what ends that."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
import pytest

from probe.agent import agent
from probe.base.clock import now_ms
from probe.custody.spool import Spool, read_ledger
from probe.home import files, notebook
from probe.protocol.keys import Key
from tests.support.factory import app_run
from tests.support.fake_collector import eventually
from tests.support.owned_probe import probe_config, watch_of
from tests.support.servers import MappedDialer, refusing

DAY_MS = 86_400_000


@pytest.fixture
def network_of_nothing(authority):
    """A network that reaches nothing."""
    from probe.net.network import Network

    with refusing() as port:
        yield Network(MappedDialer(resolver=port), authority.file)


async def why_not(settings, network, prepare=lambda spool: None):
    """The reason why a probe does not measure now."""
    probe, spool = agent.Probe(settings, network, watch_of(settings)), Spool(settings.spool_file)
    try:
        prepare(spool)
        return await probe._why_not(spool)
    finally:
        spool.close()


async def test_it_does_not_measure_on_metered_lines_with_old_spools_or_at_the_cap(tmp_path, network_of_nothing):
    """Otherwise it measures. Nothing unsent is dropped."""

    def old(days):
        def prepare(spool):
            spool.add(app_run(1))
            spool.seal_due(Key.create("user"), now_ms() - days * DAY_MS, 0)

        return prepare

    network = network_of_nothing
    assert await why_not(probe_config(tmp_path / "a", metered="no"), network) == ""
    assert "metered" in await why_not(probe_config(tmp_path / "b", metered="yes"), network)
    assert await why_not(probe_config(tmp_path / "c", metered="no"), network, old(29)) == ""
    settings = probe_config(tmp_path / "d", metered="no")
    assert "30 days" in await why_not(settings, network, old(31))
    assert [e.state for e in read_ledger(settings.spool_file)] == ["spooled"]
    capped = probe_config(tmp_path / "e", metered="no", monthly_mb=1)
    assert "1 MB" in await why_not(capped, network, lambda s: s.add_traffic(1_000_000, now_ms()))


async def test_runs_are_counted_for_status_and_a_pause_stops_them(tmp_path, network_of_nothing):
    """Paused, it makes no run; resumed, it goes on at its next scheduled time."""
    settings = probe_config(tmp_path, metered="no", deliver_every_s=600)
    watch = msgspec.structs.replace(watch_of(settings), cadence_s=0.3)
    directory, stop = Path(settings.data), asyncio.Event()
    probe = agent.Probe(settings, network_of_nothing, watch)
    running = asyncio.create_task(probe.run(stop))
    await eventually(lambda: notebook.read(directory).runs >= 2)
    (directory / files.PAUSED).write_bytes(b'{"until_ms":null}')
    await eventually(lambda: "paused" in notebook.read(directory).why_not)
    before = notebook.read(directory).runs
    await asyncio.sleep(0.8)
    assert notebook.read(directory).runs == before
    (directory / files.PAUSED).unlink()
    await eventually(lambda: notebook.read(directory).runs > before)
    stop.set()
    await running
    assert time.time() * 1000 - notebook.read(directory).last_run_ms < 5000

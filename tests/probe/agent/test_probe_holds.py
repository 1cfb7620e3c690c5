"""What keeps a probe from measuring, and what ends that."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
import pytest

from probe.agent.probe import Probe
from probe.custody import visits
from probe.home import files, notebook
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


async def test_runs_are_counted_for_status_and_a_pause_stops_them(tmp_path, network_of_nothing, monkeypatch):
    """Paused, it makes no run; resumed, it goes on at its next scheduled time."""
    monkeypatch.setattr(visits, "_CONNECT_S", 0.2)
    settings = probe_config(tmp_path, metered="no", deliver_every_s=600)
    watch = msgspec.structs.replace(watch_of(settings), cadence_s=0.3)
    directory, stop = Path(settings.data), asyncio.Event()
    probe = Probe(settings, network_of_nothing, watch)
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

"""Each run and the visit after it have a process of their own, and a failed one costs nothing but its run."""

from __future__ import annotations

import asyncio
import signal
import sys
import time

import pytest

from infra.nats import nats_server
from probe.agent import child_worker
from probe.agent.child_worker import ChildWorker
from probe.base.clock import now_ms
from probe.base.errors import UserError
from probe.custody.spool import Spool, read_ledger
from probe.custody.spool_lock import SpoolError
from probe.home import notebook
from probe.protocol import watch_file
from probe.protocol.keys import Key
from tests.support.agent_process import AgentProcess, ended, endless_run, only_child
from tests.support.factory import app_measurement
from tests.support.fake_collector import FakeCollector, eventually

CORE, OPERATOR = Key.create("user"), Key.create("operator")
ADDRESS = "203.0.113.1"


@pytest.fixture
def probe(tmp_path, authority):
    """A probe whose runs reach nothing, and which nobody collects from."""
    return AgentProcess(tmp_path, authority, OPERATOR)


@pytest.fixture
async def collected(tmp_path, authority):
    """A probe and its collector."""
    key = Key.load_or_create(tmp_path / "probe" / "probe.key", "user")
    with nats_server.running(tmp_path / "nats", core_users=[CORE.id], probes=[key.id]) as server:
        collector = FakeCollector(OPERATOR)
        async with collector.at(server.url, CORE):
            yield AgentProcess(tmp_path, authority, OPERATOR, nats=[server.url]), collector


def states(probe):
    """The state of each segment, in order."""
    return [e.state for e in read_ledger(probe.spool)] if probe.spool.exists() else []


def runs(probe):
    """How many runs were spooled."""
    return notebook.read(probe.home).runs


def fill(spool, key, steps):
    """Spool measurements of many steps, and seal them, until there is no room for another one."""
    while True:
        for _ in range(20):
            spool.add([app_measurement(steps=app_measurement().steps * steps)])
        spool.seal_due(key, now_ms(), 0)


async def test_one_worker_after_the_other_measures_and_delivers_and_they_share_what_they_know(collected):
    """One run a segment, delivered in order. Only the first run is a sweep, and the agent alone is there in between."""
    probe, collector = collected
    with probe.started() as process:
        await eventually(lambda: len(collector.seen) >= 4, 30)
        await eventually(lambda: not process.children())
        assert process.memory_info().rss < 40_000_000
        process.send_signal(signal.SIGTERM)
        assert await ended(process) == 0
    segments = sorted(collector.seen.values(), key=lambda s: s.sequence)
    assert [s.sequence for s in segments] == list(range(1, len(segments) + 1))
    assert [m.sweep for s in segments for m in s.measurements] == [True] + [False] * (len(segments) - 1)
    assert set(states(probe)) == {"stored"}
    assert probe.logged('"level": "error"') == []


async def test_a_segment_without_a_receipt_is_asked_for_by_the_next_worker_and_not_sent_again(collected):
    """Which segments NATS has acknowledged is handed over; the spool's file does not hold it."""
    probe, collector = collected
    collector.mute = True
    probe.config.write_text(probe.config.read_text().replace("receipt_wait_s = 3", "receipt_wait_s = 0.1"))
    with probe.started():
        await eventually(lambda: states(probe)[:2] == ["stored", "stored"], 30)
    assert len(collector.deliveries) == len(set(collector.deliveries))
    assert set(collector.asked)


async def test_one_line_is_logged_for_an_outage_of_many_runs(probe):
    """The workers know which problems have been logged."""
    with probe.started():
        await eventually(lambda: runs(probe) >= 3, 30)
    assert len(probe.logged("not delivered")) == 1
    (probe.home / "paused.json").write_text('{"until_ms":null}')
    probe.log.write_text("")
    with probe.started():
        await eventually(lambda: "paused" in notebook.read(probe.home).why_not, 30)
        await asyncio.sleep(2.5)
    assert len(probe.logged("not measuring")) == 1


async def test_while_paused_no_worker_is_started_for_a_visit(tmp_path, authority):
    """The agent sees the pause itself; a worker is started only when a run is due, to note why there is none."""
    probe = AgentProcess(tmp_path, authority, OPERATOR, cadence_s=600.0)
    (probe.home / "paused.json").write_text('{"until_ms":null}')
    with probe.started() as process:
        await eventually(lambda: "paused" in notebook.read(probe.home).why_not, 20)
        await eventually(lambda: not process.children())
        until = time.monotonic() + 2
        while time.monotonic() < until:
            assert process.children() == []
            await asyncio.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert await ended(process, 5) == 0


async def test_a_killed_worker_costs_its_run_and_no_other(tmp_path, authority):
    """It is logged with its exit code, and the next run is made as scheduled."""
    async with endless_run() as (port, waits):
        probe = AgentProcess(tmp_path, authority, OPERATOR, timeout_s=2.5, cadence_s=3.0, ports={ADDRESS: port})
        with probe.started() as process:
            await asyncio.wait_for(waits.wait(), 20)
            (await only_child(process)).kill()
            await eventually(lambda: probe.logged("ended early"), 20)
            waits.clear()
            await asyncio.wait_for(waits.wait(), 20)
            assert process.is_running()
    assert "-9" in probe.logged("ended early")[0]
    assert runs(probe) == 0


async def test_killed_at_any_time_agent_and_workers_lose_nothing(collected):
    """After kill -9 of either, while the collector sends no receipts: every sealed segment is stored, each run once."""
    probe, collector = collected
    collector.mute = collector.forgetful = True
    probe.config.write_text(probe.config.read_text().replace("receipt_wait_s = 3", "receipt_wait_s = 0.5"))
    for is_worker in (True, False, True, False):
        collector.deliveries.clear()
        with probe.started() as process:
            await eventually(lambda: collector.deliveries, 20)
            ((await only_child(process)) if is_worker else process).kill()
            if is_worker:
                collector.deliveries.clear()
                await eventually(lambda: collector.deliveries, 20)
    collector.mute = collector.forgetful = False
    with probe.started() as process:
        await eventually(lambda: states(probe)[:4] == ["stored"] * 4, 30)
        process.send_signal(signal.SIGTERM)
        assert await ended(process) == 0
    ledger = read_ledger(probe.spool)
    assert {e.state for e in ledger} == {"stored"}
    assert {e.segment_id for e in ledger} == set(collector.seen)
    made = [m.run_id for s in collector.seen.values() for m in s.measurements]
    assert len(made) == len(set(made)) >= 4


async def test_a_worker_that_hangs_is_killed_and_the_next_run_is_made(probe):
    """It gives no sign of life: here it is stopped, as a C library that never returns would stop it."""
    probe.silent_s = 3.0
    with probe.started() as process:
        worker = await only_child(process)
        worker.suspend()
        await eventually(lambda: not worker.is_running(), 20)
        await eventually(lambda: runs(probe) >= 1, 20)
    assert probe.logged("no sign of life")


async def test_a_worker_that_can_not_be_started_is_tried_again_at_the_next_run(tmp_path, probe):
    """The program is missing for a while, as memory or processes may be."""
    program, hidden = tmp_path / "python", tmp_path / "hidden"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    program.chmod(0o755)
    probe.program = program
    with probe.started() as process:
        program.rename(hidden)
        await eventually(lambda: probe.logged("can't be started"), 20)
        hidden.rename(program)
        await eventually(lambda: runs(probe) >= 1, 20)
        assert process.is_running()


async def test_a_full_spool_is_emptied_while_the_run_waits_for_room(collected):
    """The worker that can't spool its run seals and delivers what waits, which makes room for the run."""
    probe, collector = collected
    probe.config.write_text(probe.config.read_text().replace("metered", "spool_mb = 1\nmetered"))
    # The first visit without a run is due after 5 s, when the run waits already.
    probe.config.write_text(probe.config.read_text().replace("deliver_every_s = 0.5", "deliver_every_s = 10"))
    spool = Spool(probe.spool, max_bytes=1_000_000)
    for steps in (100, 1):
        with pytest.raises(SpoolError, match="full"):
            fill(spool, probe.key, steps)
    spool.close()
    before = len(states(probe))
    with probe.started():
        await eventually(lambda: runs(probe) >= 1, 60)
        await eventually(lambda: len(collector.seen) > before, 30)
    assert probe.logged("can't be spooled")


async def test_a_second_start_is_refused_while_the_first_goes_on(probe):
    """By the lock, whether a worker runs at that moment or not."""
    with probe.started() as first:
        await eventually(lambda: runs(probe) >= 1, 20)
        with probe.started() as second:
            assert await ended(second) == 2
        assert first.is_running()
        before = runs(probe)
        await eventually(lambda: runs(probe) > before, 20)
    assert probe.logged("another probe is using it")


async def test_the_configuration_is_read_once(probe):
    """A file that is edited, or broken, changes nothing until the next start."""
    with probe.started():
        probe.config.write_text("broken")
        await eventually(lambda: runs(probe) >= 2, 20)


async def test_a_renewed_watch_is_in_force_from_the_next_run_on(collected):
    """The worker that received it hands it to the agent, which measures at its cadence."""
    probe, collector = collected
    text = probe.watch.replace("2099-01-01", "2099-06-01").replace("cadence_s = 1.0", "cadence_s = 600")
    collector.newer_watch = watch_file.sign(text.encode(), OPERATOR)
    with probe.started():
        await eventually(lambda: probe.logged("the watch was renewed"), 30)
        await eventually(lambda: notebook.read(probe.home).next_run_ms > now_ms() + 60_000, 30)
    assert len(probe.logged("the watch was renewed")) == 1


async def test_a_probe_that_stays_connected_has_no_workers(tmp_path, authority):
    """Everything is in one process, as `deliver_every_s = 0` wants it."""
    probe = AgentProcess(tmp_path, authority, OPERATOR, deliver_every_s=0, cadence_s=3000.0)
    with probe.started() as process:
        await eventually(lambda: notebook.read(probe.home).pid == process.pid, 20)
        assert process.children() == []
        assert process.memory_info().rss > 40_000_000
        process.send_signal(signal.SIGTERM)
        assert await ended(process) == 0


def test_what_the_worker_refuses_is_the_agents_error(tmp_path, probe):
    """A configuration that can't be used, a spool that is damaged, and a worker that fails without a word."""
    with pytest.raises(UserError, match=r"missing\.toml: can't be read") as refused:
        ChildWorker.describe(child_worker.command(tmp_path / "missing.toml"))
    assert refused.value.code == 2
    probe.spool.write_bytes(b"no database" * 1000)
    with pytest.raises(UserError, match="damaged"):
        ChildWorker.describe(child_worker.command(probe.config))
    with pytest.raises(UserError, match="ended with code 7") as failed:
        ChildWorker.describe([sys.executable, "-c", "import os; os._exit(7)"])
    assert failed.value.code == 70
    with pytest.raises(UserError, match="can't be started"):
        ChildWorker.describe([str(tmp_path / "nothing")])

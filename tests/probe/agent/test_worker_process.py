"""A worker ends when it is told to, and in any case with its agent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import msgspec
import pytest

from probe import panic
from probe.agent import worker_process
from probe.custody.spool import read_ledger
from probe.home import notebook
from probe.home.config import VantageConfig
from probe.owner import uninstall
from probe.protocol import watch_file
from probe.protocol.keys import Key
from tests.support.agent_process import ROOT, AgentProcess, ended, endless_run, only_child
from tests.support.fake_collector import eventually
from tests.support.owned_probe import probe_config

OPERATOR = Key.create("operator")
ADDRESS = "203.0.113.1"


@pytest.fixture
async def measuring(tmp_path, authority):
    """A probe, its agent and its worker, which is in the middle of a run that would take a minute."""
    async with endless_run() as (port, waits):
        probe = AgentProcess(tmp_path, authority, OPERATOR, timeout_s=30, cadence_s=600.0, ports={ADDRESS: port})
        with probe.started() as process:
            await asyncio.wait_for(waits.wait(), 20)
            yield probe, process, await only_child(process)


async def test_a_worker_ends_at_once_when_its_agent_is_killed(measuring):
    """Whatever it does. The lock is free once both have ended."""
    probe, process, worker = measuring
    assert panic.running(probe.home) == process.pid
    process.kill()
    process.wait()
    await eventually(lambda: not worker.is_running(), 5)
    assert panic.running(probe.home) == 0


async def test_the_lock_is_held_until_the_worker_has_ended_too(measuring):
    """Another probe can't start while a worker still writes."""
    probe, process, worker = measuring
    worker.suspend()
    process.kill()
    process.wait()
    assert panic.running(probe.home) == process.pid
    worker.resume()
    await eventually(lambda: panic.running(probe.home) == 0, 5)


async def test_a_probe_that_is_told_to_stop_abandons_its_run(measuring):
    """It ends soon, with exit code 0 and without the unfinished run."""
    probe, process, worker = measuring
    process.send_signal(signal.SIGTERM)
    assert await ended(process, 10) == 0
    assert not worker.is_running()
    assert (notebook.read(probe.home).runs, read_ledger(probe.spool)) == (0, [])
    assert probe.logged('"level": "error"') == []


async def test_a_signal_for_the_whole_group_ends_the_worker_through_its_agent(measuring):
    """Ctrl-C and systemd send theirs to all processes: the worker leaves it to the agent to tell it."""
    _, process, worker = measuring
    for number in (signal.SIGINT, signal.SIGTERM):
        worker.send_signal(number)
    await asyncio.sleep(0.5)
    assert worker.is_running()
    assert os.getsid(worker.pid) == worker.pid
    process.send_signal(signal.SIGINT)
    assert await ended(process, 10) == 0


async def test_a_stop_between_two_runs_makes_a_last_visit(tmp_path, authority):
    """In a worker of its own: what waits is sealed. The next start delivers it."""
    probe = AgentProcess(tmp_path, authority, OPERATOR, deliver_every_s=3000, cadence_s=600.0)
    with probe.started() as process:
        await eventually(lambda: notebook.read(probe.home).runs == 1, 20)
        await eventually(lambda: not process.children(), 60)
        process.send_signal(signal.SIGTERM)
        await only_child(process)
        assert await ended(process, 15) == 0
    assert [e.state for e in read_ledger(probe.spool)] == ["spooled"]
    assert probe.logged("stopped with segments waiting")


@pytest.mark.parametrize("suspended", [False, True])
async def test_panic_in_the_middle_of_a_run_leaves_nothing(measuring, suspended):
    """Both processes are killed, and none makes a file again, not even a worker that hangs."""
    probe, process, worker = measuring
    if suspended:
        worker.suspend()
    did = await asyncio.to_thread(panic.panic, probe.home)
    assert (did.pid, did.stopped, did.failed, did.left) == (process.pid, True, (), ())
    assert process.wait(5) == -signal.SIGKILL
    await eventually(lambda: not worker.is_running(), 5)
    await asyncio.sleep(0.3)
    assert not probe.home.exists()


async def test_uninstall_in_the_middle_of_a_run_waits_for_the_worker(measuring, own_home):
    """It asks the agent to stop and removes the files when both have ended."""
    probe, process, worker = measuring
    did = await asyncio.to_thread(uninstall.uninstall, probe.home)
    assert (did.failed, did.left) == ((), ())
    assert process.wait(5) == 0
    assert not worker.is_running()
    assert not probe.home.exists()


def test_what_a_library_prints_does_not_reach_the_agent(tmp_path, authority):
    """The worker's stdout carries messages alone."""
    code = "import os\nos.write(1, b'noise 1\\n')\nprint('noise 2')\n"
    code += "from probe.agent import worker_process\nworker_process.serve(lambda: print('noise 3') or 1 / 0, None)"
    done = subprocess.run([sys.executable, "-c", code], input=b"{}\n", capture_output=True, check=False)
    assert done.returncode == 1
    assert b"noise 3" in done.stderr
    assert b"noise 3" not in done.stdout


@pytest.mark.parametrize("file", sorted((ROOT / "infra" / "watches").rglob("*.toml")), ids=lambda f: f.stem)
def test_settings_pass_through_the_agent_unchanged(tmp_path, file):
    """A configuration and each shipped watch, its digest included: they are read once, and handed on as JSON."""
    watch = watch_file.read(file.read_bytes(), str(file))
    sent = worker_process.ProbeSettings(probe_config(tmp_path, vantage=VantageConfig(asn=64500, line="a")), watch)
    assert msgspec.json.decode(msgspec.json.encode(sent), type=worker_process.ProbeSettings) == sent

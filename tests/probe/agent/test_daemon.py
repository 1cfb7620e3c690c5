"""The process that measures for weeks."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from probe import panic
from probe.owner import status
from probe.protocol.keys import Key
from tests.support.agent_process import AgentProcess
from tests.support.fake_collector import eventually
from tests.support.owned_probe import probe_config, running_daemon, watch_of, write_config

ROOT = Path(__file__).parents[3]
OPERATOR = Key.create("operator")


def _words_of(pid):
    """A process's command line, where /proc tells it."""
    file = Path(f"/proc/{pid}/cmdline")
    return file.read_text() if file.exists() else "probe.agent.daemon"


async def test_run_executes_a_process_without_the_libraries_of_the_command_line(tmp_path):
    """Rich and cyclopts take 8 MB. SIGTERM ends it with exit code 0; `status` shows its process id and next run."""
    settings = probe_config(tmp_path)
    with running_daemon(write_config(tmp_path, settings)) as process:
        await eventually(lambda: panic.running(Path(settings.data)), 20)
        assert "probe.agent.daemon" in _words_of(process.pid)
        found = await eventually(
            lambda: (s := status.status(settings, watch_of(settings), ask_api=False)).next_run and s, 20
        )
        assert found.pid == process.pid
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 10) == 0
    assert status.status(settings, None).pid is None


def loaded(module):
    """The modules that a process has loaded after importing one."""
    code = f"import sys; sys.modules['rich'] = None; import {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_a_light_import():
    """The agent loads nothing that a run or a visit needs, and a worker no library that only others need."""
    others = {"cyclopts", "rich.console", "numpy", "clickhouse_connect", "litestar"}
    heavy = {"cryptography", "aiohttp", "nats", "sqlite3", "_sqlite3", "dns", "tomllib", "http.client"}
    assert not loaded("probe.agent.daemon") & (heavy | others)
    worker = loaded("probe.agent.worker_process")
    assert not worker & others
    assert worker > {"cryptography", "sqlite3", "dns"}


async def test_the_service_manager_is_told_that_the_agent_is_alive_until_it_hangs(tmp_path, authority):
    """READY once, then the watchdog's sign of life; a stopped process gives none, so that the manager restarts it."""
    probe = AgentProcess(tmp_path, authority, OPERATOR, cadence_s=600.0)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        with probe.started(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="600000") as process:
            assert [manager.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
            process.suspend()
            manager.settimeout(1)
            with contextlib.suppress(TimeoutError):
                manager.recv(100)  # sent before it was stopped
            with pytest.raises(TimeoutError):
                manager.recv(100)
            process.resume()
            assert manager.recv(100) == b"WATCHDOG=1"

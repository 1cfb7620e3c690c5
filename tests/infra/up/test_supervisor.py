"""Processes are started, restarted and ended, and no process of anybody else is touched."""

import os
import signal
import subprocess
import sys
import time

import msgspec
import psutil
import pytest

from infra.up.supervisor import StackProcess, Supervisor
from probe.base.errors import UserError

READY = "import json, time; print(json.dumps({'port': 7}), flush=True); time.sleep(60)"


def python(code: str) -> list[str]:
    """A command that runs some Python."""
    return [sys.executable, "-c", code]


@pytest.fixture
def supervisor(tmp_path):
    """A supervisor in a directory of its own; all its processes are ended after the test."""
    made = Supervisor(tmp_path)
    yield made
    made.stop_all()


def test_a_process_reports_that_it_is_ready(supervisor):
    """`wait_ready` returns the JSON object on the first line of stdout."""
    process = StackProcess(name="a", command=lambda: python(READY))
    supervisor.start(process)
    assert supervisor.wait_ready(process) == {"port": 7}


def test_the_log_of_a_process_that_ends_at_once_is_quoted(supervisor):
    """The error holds the last line of its log."""
    process = StackProcess(name="a", command=lambda: python("import sys; sys.exit('error: port 1 is taken')"))
    supervisor.start(process)
    with pytest.raises(UserError, match="port 1 is taken"):
        supervisor.wait_ready(process)


def test_a_killed_process_is_restarted(supervisor):
    """A process that ended by itself runs again under a new pid."""
    process = StackProcess(name="a", command=lambda: python(READY))
    supervisor.start(process)
    supervisor.wait_ready(process)
    before = process.popen.pid
    process.popen.kill()
    process.popen.wait()
    assert supervisor.revive() == ["a"]
    assert process.popen.pid != before
    assert supervisor.wait_ready(process) == {"port": 7}


def test_a_process_that_keeps_ending_stops_the_stack(supervisor):
    """Restarts without end are an error that quotes the process's log."""
    process = StackProcess(name="a", command=lambda: python("import sys; sys.exit('no disk')"))
    supervisor.start(process)
    with pytest.raises(UserError, match="keeps ending: no disk"):  # noqa: PT012 - the loop is the point
        while True:
            process.popen.wait()
            supervisor.revive()


def test_a_process_that_ignores_sigterm_is_killed(supervisor):
    """Stopping takes a bounded time."""
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + READY
    process = StackProcess(name="a", command=lambda: python(code), stop_within_s=0.3)
    supervisor.start(process)
    supervisor.wait_ready(process)
    pid = process.popen.pid
    supervisor.stop(process)
    assert not psutil.pid_exists(pid)


def test_leftovers_of_a_killed_parent_are_ended_and_others_are_not(tmp_path):
    """The next start ends the recorded processes, but never another process that got the same pid."""
    quiet = {"stdout": subprocess.DEVNULL}
    with subprocess.Popen(python(READY), **quiet) as leftover, subprocess.Popen(python(READY), **quiet) as other:
        rows = [
            ("leftover", leftover.pid, psutil.Process(leftover.pid).create_time()),
            ("gone", other.pid, psutil.Process(other.pid).create_time() - 100),
        ]
        (tmp_path / "processes.json").write_bytes(
            msgspec.json.encode([{"name": n, "pid": p, "started": t} for n, p, t in rows])
        )
        assert Supervisor(tmp_path).clear_leftovers() == ["leftover"]
        leftover.wait(5)
        assert other.poll() is None
        other.kill()
    assert Supervisor(tmp_path).clear_leftovers() == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel ends children with their parent")
def test_processes_end_when_the_parent_is_killed(tmp_path):
    """A kill -9 of the parent leaves nothing running on Linux."""
    code = (
        "import sys, time; from pathlib import Path; from infra.up.supervisor import StackProcess, Supervisor;"
        "p = StackProcess(name='a', command=lambda: [sys.executable, '-c', 'import time; time.sleep(60)']);"
        "Supervisor(Path(sys.argv[1])).start(p); print(p.popen.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([*python(code), str(tmp_path)], stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 5
    while psutil.pid_exists(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    alive = psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE
    if alive:
        os.kill(child, signal.SIGKILL)
    assert not alive

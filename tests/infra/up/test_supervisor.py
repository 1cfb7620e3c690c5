"""Processes are started, revived and ended, and only those that we started."""

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
def processes(tmp_path):
    """Processes of a directory of their own, all ended afterwards."""
    p = Supervisor(tmp_path)
    yield p
    p.stop_all()


def test_a_part_says_when_it_is_ready(processes):
    """The first line on stdout is what it says."""
    part = StackProcess(name="a", command=lambda: python(READY))
    processes.start(part)
    assert processes.wait_ready(part) == {"port": 7}


def test_a_part_that_ends_at_once_is_quoted(processes):
    """Its last words are the error."""
    part = StackProcess(name="a", command=lambda: python("import sys; sys.exit('error: port 1 is taken')"))
    processes.start(part)
    with pytest.raises(UserError, match="port 1 is taken"):
        processes.wait_ready(part)


def test_a_killed_part_is_started_again(processes):
    """A part that ended by itself comes back under a new pid."""
    part = StackProcess(name="a", command=lambda: python(READY))
    processes.start(part)
    processes.wait_ready(part)
    before = part.process.pid
    part.process.kill()
    part.process.wait()
    assert processes.revive() == ["a"]
    assert part.process.pid != before
    assert processes.wait_ready(part) == {"port": 7}


def test_a_part_that_keeps_ending_stops_the_stack(processes):
    """Endless restarts are an error that quotes the part."""
    part = StackProcess(name="a", command=lambda: python("import sys; sys.exit('no disk')"))
    processes.start(part)
    with pytest.raises(UserError, match="keeps ending: no disk"):  # noqa: PT012 - the loop is the point
        while True:
            part.process.wait()
            processes.revive()


def test_a_part_that_ignores_sigterm_is_killed(processes):
    """Stopping is bounded in time."""
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + READY
    part = StackProcess(name="a", command=lambda: python(code), stop_within_s=0.3)
    processes.start(part)
    processes.wait_ready(part)
    pid = part.process.pid
    processes.stop(part)
    assert not psutil.pid_exists(pid)


def test_leftovers_of_a_killed_parent_are_ended_and_others_are_not(tmp_path):
    """The next start ends what is written down, but never a stranger that got the same pid."""
    quiet = {"stdout": subprocess.DEVNULL}
    with subprocess.Popen(python(READY), **quiet) as left, subprocess.Popen(python(READY), **quiet) as stranger:
        rows = [
            ("left", left.pid, psutil.Process(left.pid).create_time()),
            ("gone", stranger.pid, psutil.Process(stranger.pid).create_time() - 100),
        ]
        (tmp_path / "processes.json").write_bytes(
            msgspec.json.encode([{"name": n, "pid": p, "started": t} for n, p, t in rows])
        )
        assert Supervisor(tmp_path).clear_leftovers() == ["left"]
        left.wait(5)
        assert stranger.poll() is None
        stranger.kill()
    assert Supervisor(tmp_path).clear_leftovers() == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel ends children with their parent")
def test_parts_end_when_the_parent_is_killed(tmp_path):
    """A kill -9 of the parent leaves nothing running on Linux."""
    code = (
        "import sys, time; from pathlib import Path; from infra.up.supervisor import StackProcess, Supervisor;"
        "p = StackProcess(name='a', command=lambda: [sys.executable, '-c', 'import time; time.sleep(60)']);"
        "Supervisor(Path(sys.argv[1])).start(p); print(p.process.pid, flush=True); time.sleep(60)"
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

"""Start child processes, Blockonset's own commands among them, and end them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def blockonset(*arguments: str) -> list[str]:
    """The command line of `blockonset` with these arguments, run by this interpreter."""
    return [sys.executable, "-m", "probe", *arguments]


def as_child(nice: int = 0) -> Callable[[], None]:
    """A `preexec_fn` that adds `nice` to the new process's niceness and, on Linux, ends the process with its parent."""

    def prepare() -> None:
        os.nice(nice)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return prepare


def end(process: subprocess.Popen[bytes], within_s: float) -> bool:
    """Ask a process to end (SIGTERM), and kill it if it has not in time. Whether it ended without being killed."""
    process.terminate()
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return True


def last_line(log: Path) -> str:
    """The last line of a log file, or a remark that it has none."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "its log is empty"

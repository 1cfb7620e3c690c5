"""Panic: stop the probe and wipe its key, its spool and everything else that it wrote.

`blockonset probe panic`, or `python -m probe.panic`. It uses the standard library only, and depends on no file being
intact: a broken configuration, a damaged spool or a missing package must not keep it from working. It contacts nobody.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

from probe.base import lock
from probe.home import files

MADE = (
    files.KEY,
    *(files.SPOOL, f"{files.SPOOL}-wal", f"{files.SPOOL}-shm", f"{files.SPOOL}-journal"),
    *(files.LAST_SEGMENT, files.STATE, files.PAUSED, files.NETWORKS, files.CONSENT),
    *(files.WITHDRAWN, files.WITHDRAWAL_RECEIPT, files.WATCH, files.RENEWED),
    *(files.CONFIG, files.LOG, f"{files.LOG}.1", files.SPOOL_LOCK),
)
"""Every file that the probe makes in its directory, the key first. Others are left alone and listed in the result."""
_STOP_S = 5.0
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
_BLOCK = 1 << 20


class Wiped(NamedTuple):
    """What panic did."""

    pid: int
    """The process id of the probe that was running, 0 for none."""
    stopped: bool
    files: tuple[str, ...]
    failed: tuple[str, ...]
    """`file: error`, for what could not be wiped."""
    left: tuple[str, ...]
    """Files in the directory that are not the probe's."""


def panic(directory: Path) -> Wiped:
    """Stop the probe that uses this directory, at once and without a last delivery, then wipe. Never raises OSError."""
    pid = running(directory)
    stopped = stop(directory) if pid else True
    wiped, failed = [], []
    drafts = [f.name for f in _inside(directory) if f.name.startswith(tuple(f".{m}." for m in MADE))]
    for name in (*MADE, *drafts):
        file = directory / name
        if not os.path.lexists(file):
            continue
        error = wipe(file)
        (failed.append(f"{file}: {error}") if error else wiped.append(str(file)))
    left = tuple(str(f) for f in _inside(directory))
    with contextlib.suppress(OSError):
        directory.rmdir()
    return Wiped(pid, stopped, tuple(wiped), tuple(failed), left)


def running(directory: Path) -> int:
    """The id of the probe that holds the spool's lock, or 0. An id left in the file by a dead process is ignored."""
    return next(iter(_processes(directory)), 0)


def stop(directory: Path, signal_number: int = _KILL, within_s: float = _STOP_S) -> bool:
    """Send the probe a signal, and wait until neither it nor its worker holds the lock any more.

    The signal that kills is sent to the worker too. Returns whether the lock became free in time.
    """
    pids = _processes(directory)
    for pid in pids if signal_number == _KILL else pids[:1]:
        with contextlib.suppress(OSError):
            os.kill(pid, signal_number)
    deadline = time.monotonic() + within_s
    while running(directory):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def wipe(file: Path) -> str:
    """Overwrite a file with zeros, flush it, and remove it. Returns the error's text, or "" when it is gone."""
    error = ""
    try:
        if not file.is_symlink():
            with file.open("r+b", buffering=0) as f:
                left = file.stat().st_size
                while left > 0:
                    left -= f.write(bytes(min(left, _BLOCK)))
                os.fsync(f.fileno())
    except OSError as e:
        error = e.strerror or str(e)
    try:
        file.unlink()
    except OSError as e:
        return e.strerror or error or str(e)
    return ""


def _processes(directory: Path) -> list[int]:
    """The processes that the lock's holder wrote into its file: the probe, then its worker if there is one."""
    words = (lock.holder(directory / files.SPOOL_LOCK) or "").split()
    return [int(word) for word in words if word.isascii() and word.isdigit()]


def _inside(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []


if __name__ == "__main__":
    result = panic(Path(sys.argv[1]) if len(sys.argv) > 1 else files.directory())
    sys.stdout.write("".join(f"wiped {f}\n" for f in result.files) + "".join(f"NOT wiped {f}\n" for f in result.failed))
    sys.exit(1 if result.failed or not result.stopped else 0)

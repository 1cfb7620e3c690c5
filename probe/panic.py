"""Panic: stop the probe and wipe its key, its spool and all that it wrote.

`blockonset probe panic`, or `python -m probe.panic`. Standard library only, and nothing that it reads has to be in
order: a broken configuration, a damaged spool or a missing package must not keep it from working. It contacts nobody.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

from probe.home import files as home

MADE = (
    *(
        "probe.key",
        "spool.db",
        "spool.db-wal",
        "spool.db-shm",
        "spool.db-journal",
        "last-segment.bo1",
        "state.json",
        "paused.json",
    ),
    *("networks.json", "consent.json", "withdrawal.txt", "withdrawal.receipt", "watch.signed", "watch.renewed"),
    *(home.CONFIG, "probe.log", "probe.log.1", "spool.lock"),
)
"""Every file that the probe makes in its directory, the key first. Others are left alone and named."""
_STOP_S = 5.0
_AT_ONCE = getattr(signal, "SIGKILL", signal.SIGTERM)
_BLOCK = 1 << 20


class Wiped(NamedTuple):
    """What panic did."""

    pid: int
    """The probe that ran, 0 for none."""
    stopped: bool
    files: tuple[str, ...]
    failed: tuple[str, ...]
    """`file: error`, for what could not be wiped."""
    left: tuple[str, ...]
    """Files in the directory that are not the probe's."""


def panic(directory: Path) -> Wiped:
    """Stop the probe that uses this directory, at once and without a last delivery, then wipe. Never raises OSError."""
    pid = running(directory)
    stopped = stop(directory, pid) if pid else True
    files, failed = [], []
    parts = [f.name for f in _inside(directory) if f.name.startswith(tuple(f".{m}." for m in MADE))]
    for name in (*MADE, *parts):
        file = directory / name
        if not os.path.lexists(file):
            continue
        error = wipe(file)
        (failed.append(f"{file}: {error}") if error else files.append(str(file)))
    left = tuple(str(f) for f in _inside(directory))
    with contextlib.suppress(OSError):
        directory.rmdir()
    return Wiped(pid, stopped, tuple(files), tuple(failed), left)


def running(directory: Path) -> int:
    """The process that holds the spool's lock, or 0. The lock tells it, so a number left behind harms nobody."""
    lock = directory / "spool.lock"
    try:
        handle = os.open(lock, os.O_RDWR)
    except OSError:
        return 0
    try:
        if _free(handle):
            return 0
        return int(os.pread(handle, 20, 0) or b"0")
    except (OSError, ValueError):
        return 0
    finally:
        os.close(handle)


def stop(directory: Path, pid: int, number: int = _AT_ONCE, within_s: float = _STOP_S) -> bool:
    """End that process, and wait until it holds the lock no more. Whether it worked."""
    with contextlib.suppress(OSError):
        os.kill(pid, number)
    until = time.monotonic() + within_s
    while running(directory):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def wipe(file: Path) -> str:
    """Overwrite a file with zeros, flush it, and remove it. The error's words, or "" when it is gone."""
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


def _free(handle: int) -> bool:
    try:
        import fcntl  # noqa: PLC0415 - Windows has none
    except ImportError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _inside(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []


if __name__ == "__main__":
    did = panic(Path(sys.argv[1]) if len(sys.argv) > 1 else home.directory())
    sys.stdout.write("".join(f"wiped {f}\n" for f in did.files) + "".join(f"NOT wiped {f}\n" for f in did.failed))
    sys.exit(1 if did.failed or not did.stopped else 0)

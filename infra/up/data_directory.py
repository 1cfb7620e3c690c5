"""The data directory of one stack: which subject it belongs to, a lock for one `up` at a time, and its state files."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Self

import msgspec

from probe.base import private_file
from probe.base.errors import UserError
from probe.base.lock import FileLock, LockHeldError

FORMAT = 1
_MARK_FILE = "blockonset.json"


class DirectoryMark(msgspec.Struct, frozen=True, kw_only=True):
    """What the directory belongs to. `zero_ms` is the zero time, milliseconds since the epoch; only a lab uses it."""

    format: int = FORMAT
    subject: str
    zero_ms: int


class RunningUp(msgspec.Struct, frozen=True, kw_only=True):
    """The `up` that runs in a directory, for the error message of a second one."""

    pid: int
    api: str = ""
    dashboard: str = ""


class DataDirectory:
    """An opened data directory. Holds an exclusive lock until closed; the kernel releases it if the process dies."""

    def __init__(self, path: Path, mark: DirectoryMark, lock: FileLock) -> None:
        self.path = path
        self.mark = mark
        self._lock = lock

    @classmethod
    def open(cls, path: Path, subject: str, *, fresh: bool, lead_s: float = 0.0) -> Self:
        """Open or create the directory of `subject` (`lab staggered`, `watch telegram-vn-2025`).

        A new directory's zero time is now plus `lead_s`. `fresh` empties the directory first, if it is Blockonset's.
        Raises UserError when it can't be used, belongs to another subject, or another `up` runs in it.
        """
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = FileLock(path / "up.lock")
        except OSError as e:
            raise UserError(f"data directory {path}: {e.strerror}. Name another with --data.") from e
        except LockHeldError:
            raise UserError(_already_running(path)) from None
        try:
            mark = _mark(path, subject, fresh=fresh, lead_s=lead_s)
        except BaseException:
            lock.release()
            raise
        return cls(path, mark, lock)

    def announce(self, running: RunningUp) -> None:
        """Record this `up` and its addresses."""
        private_file.replace(self.path / "up.json", msgspec.json.encode(running))

    def close(self) -> None:
        """Remove the record and release the lock."""
        (self.path / "up.json").unlink(missing_ok=True)
        self._lock.release()


def _mark(path: Path, subject: str, *, fresh: bool, lead_s: float) -> DirectoryMark:
    file = path / _MARK_FILE
    others = [p for p in path.iterdir() if p.name not in (_MARK_FILE, "up.lock")]
    if not file.exists() and others:
        raise UserError(
            f"data directory {path} contains files that are not Blockonset's ({others[0].name}, …). "
            "Name another with --data."
        )
    if fresh:
        for other in others:
            shutil.rmtree(other) if other.is_dir() and not other.is_symlink() else other.unlink()
        file.unlink(missing_ok=True)
    if not file.exists():
        mark = DirectoryMark(subject=subject, zero_ms=round((time.time() + lead_s) * 1000))
        private_file.replace(file, msgspec.json.encode(mark))
        return mark
    try:
        mark = msgspec.json.decode(file.read_bytes(), type=DirectoryMark)
    except (OSError, msgspec.DecodeError) as e:
        raise UserError(
            f"{file} can't be read ({e}). Empty the directory with --fresh, or choose another with --data."
        ) from e
    if mark.format > FORMAT:
        raise UserError(
            f"{file} was made by a newer Blockonset: its format is {mark.format}, this version reads up to {FORMAT}. "
            "Update Blockonset, or name another directory with --data."
        )
    if mark.subject != subject:
        raise UserError(
            f"data directory {path} belongs to {mark.subject!r}, not to {subject!r}. Name another with --data."
        )
    return mark


def _already_running(path: Path) -> str:
    try:
        running = msgspec.json.decode((path / "up.json").read_bytes(), type=RunningUp)
    except (OSError, msgspec.DecodeError):
        return f"an `up` is already running in {path}. Stop it first, or name another directory with --data."
    urls = (("dashboard", running.dashboard), ("API", running.api))
    addresses = ", ".join(f"{name} {url}" for name, url in urls if url)
    return (
        f"an `up` is already running in {path} (pid {running.pid}{'; ' + addresses if addresses else ''}). "
        "Stop it first, or name another directory with --data."
    )

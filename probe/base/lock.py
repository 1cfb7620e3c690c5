"""An exclusive lock on a file, one holder at a time. Standard library only, since `probe.panic` uses it.

The kernel frees the lock when its process ends, however that happens. It is a `flock`, which Windows does not have.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST_NOTE = 200


class LockHeldError(Exception):
    """Another process holds the lock. `note` is what it wrote into the file."""

    def __init__(self, note: str) -> None:
        super().__init__(note)
        self.note = note


class FileLock:
    """An exclusive lock, held until `release` or until the process ends.

    A child process that inherits the descriptor (`fileno`) holds the lock too: it is free when both have closed it.
    """

    def __init__(self, file: Path, note: str = "") -> None:
        """Make `file` (mode 0600) if it is missing, lock it, and write `note` into it for `holder` to read.

        Raises LockHeldError when another process holds the lock, OSError when the file can't be opened or locked.
        """
        self._handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            is_ours = _try_lock(self._handle)
            if is_ours:
                self.write_note(note)
            held_by = "" if is_ours else _note(self._handle)
        except BaseException:
            os.close(self._handle)
            raise
        if not is_ours:
            os.close(self._handle)
            raise LockHeldError(held_by)

    def write_note(self, note: str) -> None:
        """Replace the note. Raises OSError, for example when the disk is full."""
        raw = note.encode()
        os.pwrite(self._handle, raw, 0)  # over the old note, which needs no new space on a full disk
        os.ftruncate(self._handle, len(raw))

    def fileno(self) -> int:
        """The descriptor of the open file."""
        return self._handle

    def release(self) -> None:
        """Free the lock; the file stays. Calling it again does nothing."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def holder(file: Path) -> str | None:
    """The note of the process that holds the lock; None when nobody holds it or the file can't be opened.

    Without `flock` (Windows) it can't be known whether the lock is held: then the note of its last holder.
    """
    try:
        handle = os.open(file, os.O_RDWR)
    except OSError:
        return None
    try:
        return None if _try_lock(handle) else _note(handle)
    except OSError as e:
        return _note(handle) if e.errno == errno.ENOSYS else None
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    """Lock an open file; False when another process holds it. Raises OSError, ENOSYS where there is no `flock`."""
    try:
        import fcntl  # noqa: PLC0415 - Windows has none
    except ImportError as e:
        raise OSError(errno.ENOSYS, "this system has no file locks (flock)") from e
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _note(handle: int) -> str:
    os.lseek(handle, 0, os.SEEK_SET)
    return os.read(handle, _LONGEST_NOTE).decode(errors="replace").strip()

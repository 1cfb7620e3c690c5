"""A lock for embedded stores, which only one process can have open.

chDB refuses a second process without saying why; this lock names the process that has the store.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Self

from probe.base import times
from probe.base.errors import UserError

_NAME = "blockonset.lock"


class StoreLock:
    """An exclusive lock on a directory. The kernel releases it when its process ends, however that happens."""

    def __init__(self, directory: Path, handle: int) -> None:
        """Use `take`."""
        self.directory = directory
        self._handle = handle

    @classmethod
    def take(cls, directory: Path) -> Self:
        """Lock a directory, made if missing. Raises UserError if it can't be, naming the process that has it locked."""
        file = directory / _NAME
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as e:
            raise UserError(f"store directory {directory}: {e.strerror}. Make it writable, or name another.") from e
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(handle, 200).decode(errors="replace").strip() or "another process"
            os.close(handle)
            raise UserError(
                f"store directory {directory}: in use by {holder}. Stop that one, or ask its API: "
                "only one process can have a store open."
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} since {times.text(int(time.time() * 1000))}\n".encode())
        return cls(directory, handle)

    def release(self) -> None:
        """Let the next one in. Doing so twice is harmless."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

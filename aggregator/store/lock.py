"""A lock for embedded stores, which only one process can have open.

chDB refuses a second process without saying why; this lock names the process that has the store.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from probe.base import times
from probe.base.clock import now_ms
from probe.base.errors import UserError

_NAME = "blockonset.lock"


class StoreLock:
    """An exclusive lock on a directory. The kernel releases it when its process ends, however that happens."""

    def __init__(self, directory: Path, descriptor: int) -> None:
        """Use `take`."""
        self.directory = directory
        self._descriptor = descriptor

    @classmethod
    def take(cls, directory: Path) -> Self:
        """Lock a directory, which is made when missing.

        Raises UserError when it can't be used, or when another process has it: then that process is named.
        """
        file = directory / _NAME
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as e:
            raise UserError(f"store directory {directory}: {e.strerror}. Make it writable, or name another.") from e
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(descriptor, 200).decode(errors="replace").strip() or "another process"
            os.close(descriptor)
            raise UserError(
                f"store directory {directory}: in use by {holder}. Only one process can have a store open: "
                "stop that one, or read over its API."
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} since {times.text(now_ms())}\n".encode())
        return cls(directory, descriptor)

    def release(self) -> None:
        """Release the lock. A second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

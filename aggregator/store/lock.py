"""A lock for embedded stores, which only one process can have open.

chDB refuses a second process without saying why; this lock names the process that has the store.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from probe.base import times
from probe.base.clock import now_ms
from probe.base.errors import UserError
from probe.base.lock import FileLock, LockHeldError

_NAME = "blockonset.lock"


class StoreLock:
    """An exclusive lock on a directory. The kernel releases it when its process ends, however that happens."""

    def __init__(self, directory: Path, lock: FileLock) -> None:
        """Use `take`."""
        self.directory = directory
        self._lock = lock

    @classmethod
    def take(cls, directory: Path) -> Self:
        """Lock a directory, made if missing. Raises UserError if it can't be, naming the process that has it locked."""
        file = directory / _NAME
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            return cls(directory, FileLock(file, f"process {os.getpid()} since {times.text(now_ms())}\n"))
        except OSError as e:
            raise UserError(f"store directory {directory}: {e.strerror}. Make it writable, or name another.") from e
        except LockHeldError as e:
            raise UserError(
                f"store directory {directory}: in use by {e.note or 'another process'}. Stop that one, or ask its API: "
                "only one process can have a store open."
            ) from None

    def release(self) -> None:
        """Let the next one in. Doing so twice is harmless."""
        self._lock.release()

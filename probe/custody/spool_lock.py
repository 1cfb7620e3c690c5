"""The lock on a probe's spool: one probe uses it at a time.

This module loads no SQLite: the agent, which stays in memory between runs, takes the lock, and its worker processes
inherit it.
"""

from __future__ import annotations

import os
from pathlib import Path

from probe.base.errors import UserError
from probe.base.lock import FileLock, LockHeldError
from probe.home.files import SPOOL_LOCK


class SpoolError(UserError):
    """The spool can't be opened, read or written; the message names the file."""


def lock_spool(spool: Path) -> FileLock:
    """Lock a spool file for this process, and make its directory (mode 0700) if it is missing.

    This process's id is written into the lock's file for `panic` and `uninstall`, which stop the process.
    Raises SpoolError when another probe uses the spool, or its directory can't be used.
    """
    try:
        spool.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return FileLock(spool.with_name(SPOOL_LOCK), str(os.getpid()))
    except LockHeldError:
        raise SpoolError(f"spool {spool}: another probe is using it; stop that one first") from None
    except OSError as e:
        raise SpoolError(f"spool {spool}: can't be opened: {e.strerror}") from e

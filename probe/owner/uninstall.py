"""Removing a probe from a machine."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path
from typing import NamedTuple

from probe import panic
from probe.base.clock import now_ms
from probe.base.errors import UserError
from probe.custody.spool_view import view
from probe.home import files
from probe.owner.service import install

_STOP_S = 20.0


class Uninstalled(NamedTuple):
    """What was removed, what could not be removed, and what else is in the directory."""

    removed: tuple[str, ...]
    failed: tuple[str, ...]
    left: tuple[str, ...]


def undelivered(directory: Path) -> int:
    """How many segments would be lost with the spool; 0 where it can't be read."""
    with contextlib.suppress(UserError):
        return view(directory / files.SPOOL, now_ms()).spooled
    return 0


def uninstall(directory: Path) -> Uninstalled:
    """Stop the service and the probe, which may deliver once more, and remove all their files."""
    service_files = install.remove(install.service_manager())
    if panic.running(directory):
        panic.stop(directory, signal.SIGTERM, _STOP_S)
    wiped = panic.panic(directory)
    return Uninstalled((*service_files, *wiped.files), wiped.failed, wiped.left)

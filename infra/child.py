"""Starting parts of this program as child processes."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def blockonset(*arguments: str) -> list[str]:
    """The command line of one of our own parts, under this interpreter."""
    return [sys.executable, "-m", "probe", *arguments]


def as_child(nice: int = 0) -> Callable[[], None]:
    """What a new process does before it becomes the program: yield to others, and, on Linux, end with its parent."""

    def prepare() -> None:
        os.nice(nice)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return prepare

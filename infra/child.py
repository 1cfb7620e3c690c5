"""Start Blockonset's own commands as child processes."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def blockonset(*arguments: str) -> list[str]:
    """The command line of `blockonset` with these arguments, run by this interpreter."""
    return [sys.executable, "-m", "probe", *arguments]


def as_child(nice: int = 0) -> Callable[[], None]:
    """A `preexec_fn` that adds `nice` to the new process's niceness and, on Linux, ends the process with its parent."""

    def prepare() -> None:
        os.nice(nice)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return prepare

"""Runs a program with its logs set up, and turns what goes wrong into one line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING

from probe.base import logs
from probe.base.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable


EXIT_BUG = 70
"""Exit code for a bug of ours: EX_SOFTWARE of sysexits.h."""
EXIT_INTERRUPTED = 130


def guarded(work: Callable[[], None]) -> None:
    """Do some work with the logs set up; say what goes wrong in a line, and exit with its code."""
    logs.setup(os.environ.get("BLOCKONSET_LOG", "info"))
    try:
        work()
    except UserError as e:
        _say(f"error: {e.message}")
        sys.exit(e.code)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read us has gone, as `head` does
        sys.exit(1)
    except Exception as e:  # noqa: BLE001 - nobody is to see a traceback who did not ask for one
        _say(f"error: this is a bug in Blockonset, please report it: {type(e).__name__} at {_place(e)}: {e}")
        if os.environ.get("BLOCKONSET_DEBUG"):
            traceback.print_exception(e)
        else:
            _say("(with BLOCKONSET_DEBUG=1 in the environment the whole trace is shown)")
        sys.exit(EXIT_BUG)


def _place(error: BaseException) -> str:
    """The last place in our own packages that an error went through."""
    ours = ("probe.", "aggregator.", "dashboard.", "infra.")
    frames = [(f.f_globals.get("__name__", "?"), line) for f, line in traceback.walk_tb(error.__traceback__)]
    name, line = next((f for f in reversed(frames) if f"{f[0]}.".startswith(ours)), frames[-1])
    return f"{name}:{line}"


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")

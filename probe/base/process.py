"""Runs a program with logging set up, and turns its errors into one line on stderr and an exit code."""

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
"""Exit code for a bug in Blockonset: EX_SOFTWARE of sysexits.h."""
EXIT_INTERRUPTED = 130


def guarded(work: Callable[[], None]) -> None:
    """Call `work` with logging set up. If it fails, print one line to stderr and exit with the error's code."""
    logs.setup(os.environ.get("BLOCKONSET_LOG", "info"))
    try:
        work()
    except UserError as e:
        _print_error(f"error: {e.message}")
        sys.exit(e.code)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # the reader of our output has exited, as `head` does
        sys.exit(1)
    except Exception as e:  # noqa: BLE001 - a traceback is shown only on request
        _print_error(f"error: this is a bug in Blockonset, please report it: {type(e).__name__} at {_place(e)}: {e}")
        if os.environ.get("BLOCKONSET_DEBUG"):
            traceback.print_exception(e)
        else:
            _print_error("(set BLOCKONSET_DEBUG=1 in the environment to see the traceback)")
        sys.exit(EXIT_BUG)


def _place(error: BaseException) -> str:
    """The innermost place in Blockonset's own packages that an error passed through, as `module:line`."""
    ours = ("probe.", "aggregator.", "dashboard.", "infra.")
    frames = [(f.f_globals.get("__name__", "?"), line) for f, line in traceback.walk_tb(error.__traceback__)]
    name, line = next((f for f in reversed(frames) if f"{f[0]}.".startswith(ours)), frames[-1])
    return f"{name}:{line}"


def _print_error(line: str) -> None:
    sys.stderr.write(line + "\n")

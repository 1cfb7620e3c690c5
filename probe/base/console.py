"""Prints text and tables for people with rich. Loaded only by commands that print them."""

from __future__ import annotations

import sys

from rich.console import Console

from probe.base.logs import has_colours

_WIDE = 200
"""Width in columns of what is written to a file or a pipe."""


def console(*, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """A console on stdout or stderr: as wide as the terminal; 200 columns wide where that is none.

    With NO_COLOR in the environment it writes no escape sequence, neither for colours nor for bold text.
    """
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(
        stderr=stderr,
        soft_wrap=soft_wrap,
        width=None if is_terminal else _WIDE,
        color_system="auto" if has_colours() else None,
    )

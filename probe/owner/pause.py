"""Pausing and resuming a probe, through a file that the running probe reads."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from probe.base import private_file
from probe.base.clock import now_ms
from probe.base.errors import UserError
from probe.home import files, notebook

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_DURATION = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)


def pause(directory: Path, duration: str) -> int | None:
    """Pause for a duration such as 30m, 8h or 2d, or until `resume` for "".

    Returns when the pause ends, in ms since the epoch; None for never. Raises UserError.
    """
    until = now_ms() + seconds(duration) * 1000 if duration else None
    private_file.write(directory / files.PAUSED, msgspec.json.encode(notebook.Pause(until)))
    return until


def resume(directory: Path) -> bool:
    """End a pause. Returns whether there was one. Raises UserError."""
    try:
        (directory / files.PAUSED).unlink()
    except FileNotFoundError:
        return False
    except OSError as e:
        raise UserError(f"{directory / files.PAUSED}: can't be removed: {e.strerror}") from e
    return True


def seconds(duration: str) -> int:
    """`90s`, `30m`, `8h`, `2d`, `1w` in seconds. Raises UserError."""
    match = _DURATION.fullmatch(duration.strip().lower())
    if match is None or not int(match[1]):
        raise UserError(f"duration {duration!r}: must be a number and one of s, m, h, d, w, such as 8h")
    return int(match[1]) * _UNITS_S[match[2]]

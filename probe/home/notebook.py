"""Small files in which the running probe writes its state for `status`, `show` and `doctor`, and a pause's file.

None of them leaves this machine, and none holds an address of it. Losing them loses no measurement.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec

from probe.base import times
from probe.base.clock import now_ms
from probe.base.errors import UserError
from probe.base.private_file import write
from probe.home.files import PAUSED, STATE, WITHDRAWN

if TYPE_CHECKING:
    from pathlib import Path

CLOCK_TOLERANCE_MS = 30_000
"""How much this machine's clock may differ from the collector's before it counts as wrong."""


class ProbeState(msgspec.Struct, frozen=True, kw_only=True):
    """The running probe's state. Times are ms since the epoch, 0 for never."""

    pid: int = 0
    started_ms: int = 0
    next_run_ms: int = 0
    last_run_ms: int = 0
    day: str = ""
    """The UTC day that `runs` counts."""
    runs: int = 0
    why_not: str = ""
    """Why it did not measure when a run was last due; "" when it did."""
    notice: str = ""
    """What the owner should know about the last run: `path-vpn`, `path-changed` or another key of the texts; or ""."""
    delivered_ms: int = 0
    delivery_error: str = ""
    clock_offset_ms: int = 0
    """How far this machine's clock is ahead of the collector's, by the last receipt. Measurements are not corrected."""
    clock_compared_ms: int = 0
    """When the two clocks were last compared."""
    asn: int = 0
    access: str = "unknown"
    network_is_new: bool = False
    """Whether the owner has not yet said what kind of network this is."""


class Notebook:
    """Keeps a ProbeState in a file. A file that can't be read counts as empty; one that can't be written is ignored.

    Each change is made to the state that the file holds then: the agent and its workers write in turn.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def state(self) -> ProbeState:
        """The state that the file holds now."""
        return read(self._directory)

    def note(self, **changes: object) -> None:
        """Change some fields of the state, and write it."""
        with contextlib.suppress(UserError):
            write(self._directory / STATE, msgspec.json.encode(msgspec.structs.replace(self.state, **changes)))

    def count_run(self, at_ms: int, **changes: object) -> None:
        """Note a run whose measurements are in the spool; `at_ms` is now."""
        day, before = times.day(at_ms).isoformat(), self.state
        runs = before.runs + 1 if before.day == day else 1
        self.note(day=day, runs=runs, last_run_ms=at_ms, why_not="", **changes)


class Pause(msgspec.Struct, frozen=True):
    """A pause that the owner asked for. It ends at `until_ms`, or, when that is None, with `resume`."""

    until_ms: int | None


def read(directory: Path) -> ProbeState:
    """The last state that was written, or an empty one."""
    try:
        return msgspec.json.decode((directory / STATE).read_bytes(), type=ProbeState)
    except (OSError, msgspec.DecodeError):
        return ProbeState()


def paused(directory: Path, at_ms: int | None = None) -> Pause | None:
    """The pause in force at a time (default: now), or None. A damaged file is a pause, since somebody asked for one."""
    at_ms = now_ms() if at_ms is None else at_ms
    try:
        pause = msgspec.json.decode((directory / PAUSED).read_bytes(), type=Pause)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError):
        return Pause(None)
    return pause if pause.until_ms is None or at_ms < pause.until_ms else None


def held(directory: Path) -> str:
    """The reason why the probe must not measure or send anything now; "" when there is none."""
    if (directory / WITHDRAWN).exists():
        return "the owner has withdrawn from measuring"
    pause = paused(directory)
    if pause is None:
        return ""
    if pause.until_ms is None:
        return "paused; to go on, run: blockonset probe resume"
    return f"paused until {times.readable(pause.until_ms)}"

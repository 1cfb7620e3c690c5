"""What the running probe writes down for `status`, `show` and `doctor`: small files beside the spool.

None of them leaves this machine, and none holds an address of it. Losing them loses no measurement.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from typing import TYPE_CHECKING

import msgspec

from probe.base.errors import UserError
from probe.base.private_file import write
from probe.home.files import PAUSED, STATE, WITHDRAWN

if TYPE_CHECKING:
    from pathlib import Path


class ProbeState(msgspec.Struct, frozen=True, kw_only=True):
    """The probe's own view of itself. Times are ms since the epoch, 0 for never."""

    pid: int = 0
    started_ms: int = 0
    next_run_ms: int = 0
    last_run_ms: int = 0
    day: str = ""
    """The UTC day that `runs` counts."""
    runs: int = 0
    why_not: str = ""
    """Why it did not measure at its last turn; "" when it did."""
    notice: str = ""
    """What its owner should know of the last run: `path-vpn`, `path-changed` and so on, a key of the messages."""
    delivered_ms: int = 0
    delivery_error: str = ""
    clock_offset_ms: int = 0
    """How far this machine's clock is ahead of the collector's, by the last receipt. Rows keep their time."""
    clock_compared_ms: int = 0
    """When that was last known."""
    asn: int = 0
    access: str = "unknown"
    network_is_new: bool = False
    """Whether nobody has said yet what kind of network this is."""


class Notebook:
    """Keeps a State in a file. A file that can't be read starts anew; one that can't be written stops nothing."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / STATE
        self.state = read(directory)

    def note(self, **changes: object) -> None:
        """Change some of its fields, and write it."""
        self.state = msgspec.structs.replace(self.state, **changes)
        with contextlib.suppress(UserError):
            write(self._path, msgspec.json.encode(self.state))

    def count_run(self, now_ms: int, **changes: object) -> None:
        """Note a run that was kept."""
        day = dt.datetime.fromtimestamp(now_ms / 1000, dt.UTC).date().isoformat()
        runs = self.state.runs + 1 if self.state.day == day else 1
        self.note(day=day, runs=runs, last_run_ms=now_ms, why_not="", **changes)


class Pause(msgspec.Struct, frozen=True):
    """Asked for by `pause`. `until_ms` is None until `resume`."""

    until_ms: int | None


def read(directory: Path) -> ProbeState:
    """The last State that was written, or an empty one."""
    try:
        return msgspec.json.decode((directory / STATE).read_bytes(), type=ProbeState)
    except (OSError, msgspec.DecodeError):
        return ProbeState()


def paused(directory: Path, now_ms: int | None = None) -> Pause | None:
    """The pause that holds now, or None. A file that can't be understood is a pause: somebody wanted quiet."""
    now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    try:
        pause = msgspec.json.decode((directory / PAUSED).read_bytes(), type=Pause)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError):
        return Pause(None)
    return pause if pause.until_ms is None or now_ms < pause.until_ms else None


def held(directory: Path) -> str:
    """Why nothing may leave this machine now; "" when it may."""
    if (directory / WITHDRAWN).exists():
        return "its owner has withdrawn"
    pause = paused(directory)
    if pause is None:
        return ""
    if pause.until_ms is None:
        return "paused: blockonset probe resume"
    until = dt.datetime.fromtimestamp(pause.until_ms / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"paused until {until}"


CLOCK_TOLERANCE_MS = 30_000
"""By how much this clock may differ from the collector's before it is called wrong."""

"""What the owner of a line may say at any time: pause, resume, withdraw, uninstall."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import signal
from pathlib import Path
from typing import NamedTuple

import msgspec

from probe import oneline, panic, service, state
from probe.errors import UserError
from probe.glance import glance
from probe.keys import Key
from probe.publish import now

WITHDRAWAL = "blockonset-withdrawal1"
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_DURATION = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_STOP_S = 20.0


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """A request signed with the probe's key: publish none of my rows from this time on."""

    format: int = 1
    probe: str
    asked_ms: int
    request: str = "publish no row of this key from now on"


def pause(directory: Path, duration: str) -> int | None:
    """Pause for a duration such as 30m, 8h or 2d, or until `resume`. Until when, in ms; None is open. UserError."""
    until = now() + seconds(duration) * 1000 if duration else None
    state.write(directory / state.PAUSED, msgspec.json.encode(state.Pause(until)))
    return until


def resume(directory: Path) -> bool:
    """End a pause. Whether there was one. Raises UserError."""
    try:
        (directory / state.PAUSED).unlink()
    except FileNotFoundError:
        return False
    except OSError as e:
        raise UserError(f"{directory / state.PAUSED}: can't be removed: {e.strerror}") from e
    return True


def seconds(duration: str) -> int:
    """`90s`, `30m`, `8h`, `2d`, `1w` in seconds. Raises UserError."""
    found = _DURATION.fullmatch(duration.strip().lower())
    if found is None or not int(found[1]):
        raise UserError(f"duration {duration!r}: a number and one of s, m, h, d, w, such as 8h")
    return int(found[1]) * _UNITS_S[found[2]]


def withdraw(directory: Path) -> str:
    """Stop measuring and sending for good, and sign the request. The line to give to the operator.

    Raises UserError where this probe has no key: then nothing was ever sent under it.
    """
    file = directory / state.WITHDRAWN
    if file.exists():
        return file.read_text(encoding="ascii").strip()
    key = Key.load(directory / "probe.key", "user")
    line = oneline.seal(WITHDRAWAL, msgspec.json.encode(Withdrawal(probe=key.id, asked_ms=now())), key)
    state.write(file, line.encode() + b"\n")
    return line


def read_withdrawal(line: str) -> Withdrawal:
    """For the operator's side: what a line asks. Raises UserError unless the key that it names has signed it."""
    try:
        opened = oneline.open(line, WITHDRAWAL, "user")
        asked = msgspec.json.decode(opened.body, type=Withdrawal, strict=True)
    except (oneline.LineError, msgspec.DecodeError) as e:
        raise UserError(f"withdrawal: {e}") from e
    if asked.probe != opened.signer_id:
        raise UserError(f"withdrawal: signed by {opened.signer_id}, and speaks for {asked.probe}")
    return asked


class Uninstalled(NamedTuple):
    """What was removed, what could not be, and what remains in the directory."""

    removed: tuple[str, ...]
    failed: tuple[str, ...]
    left: tuple[str, ...]


def undelivered(directory: Path) -> int:
    """How many segments would be lost with the spool; 0 where it can't be read."""
    with contextlib.suppress(UserError):
        return glance(directory / "spool.db", now()).spooled
    return 0


def uninstall(directory: Path) -> Uninstalled:
    """Stop the service and the probe (it may deliver once more), and remove everything it made."""
    taken = service.remove(service.here())
    pid = panic.running(directory)
    if pid:
        panic.stop(directory, pid, signal.SIGTERM, _STOP_S)
    wiped = panic.panic(directory)
    return Uninstalled((*taken, *wiped.files), wiped.failed, wiped.left)


def date_of(ms: int) -> str:
    """A time in words, UTC."""
    return dt.datetime.fromtimestamp(ms / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")

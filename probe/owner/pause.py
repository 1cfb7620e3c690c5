"""What the owner of a line may say at any time: pause, resume, withdraw, uninstall."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from probe import panic
from probe.base.errors import UserError
from probe.custody.publisher import now
from probe.custody.spool_view import glance
from probe.custody.withdrawal import Withdrawing, waiting
from probe.home import notebook as state
from probe.nats.link import connect
from probe.owner.service import install as service
from probe.protocol.keys import Key

if TYPE_CHECKING:
    from probe.home.config import Config

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_DURATION = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_STOP_S = 20.0
_REACH_S = 7.0


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


def hand_over(config: Config, directory: Path) -> str:
    """Give the withdrawal to a collector now: "" once the operator has signed for it, else why not. UserError."""
    return asyncio.run(_hand_over(config, directory)) if waiting(directory) else ""


async def _hand_over(config: Config, directory: Path) -> str:
    key = Key.load(directory / "probe.key", "user")
    errand = Withdrawing(config, key, directory)
    connection = await connect(config.nats, key, "probe", inbox_prefix=f"_INBOX_{key.id}", ca_file=config.ca_file)
    try:
        async with asyncio.timeout(_REACH_S * len(config.nats)):
            await connection.ready()
        await errand.do(connection)
    except (TimeoutError, ConnectionError) as e:
        return str(e) or connection.last_error
    finally:
        await connection.close()
    return ""


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

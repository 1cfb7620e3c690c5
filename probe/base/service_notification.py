"""Tells systemd that a service is ready and alive: the protocol of sd_notify(3). Does nothing under other managers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def notify(state: str, environment: Mapping[str, str] = os.environ) -> None:
    """Send a state such as `READY=1` to the service manager, if one asked for it. Failures are ignored."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect("\0" + address[1:] if address.startswith("@") else address)  # @: Linux's abstract sockets
        sock.send(state.encode())


def watchdog_s(environment: Mapping[str, str] = os.environ) -> float | None:
    """Within how many seconds the manager wants to hear from this process again; None when it does not watch it."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        return int(environment["WATCHDOG_USEC"]) / 1e6 or None
    except (KeyError, ValueError):
        return None


async def keep_notifying() -> None:
    """Show twice in each of the watchdog's periods that this event loop is alive, for as long as this runs."""
    within_s = watchdog_s()
    while within_s:
        notify("WATCHDOG=1")
        await asyncio.sleep(within_s / 2)

"""Stopping on a signal, and waiting that ends early when a program is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")


def stop_on_signals(stop: asyncio.Event) -> None:
    """Have SIGTERM and SIGINT (Ctrl-C) set `stop`, in the running event loop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


async def stops_within(stop: asyncio.Event, seconds: float) -> bool:
    """Wait this long or until `stop` is set; whether it is set."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
    return stop.is_set()


async def unless_stopped(stop: asyncio.Event, work: Awaitable[T]) -> T | None:
    """The work's result, or None when `stop` is set first: then the work is cancelled. Raises what the work raises."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)

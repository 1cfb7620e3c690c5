"""What the lab's two processes share: their limits, their signals, their one line on stdout, a watch on their loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import signal
import sys
import time

import structlog

log = structlog.get_logger()

_FILES = 8192


def allow_many_files() -> None:
    """Raise the soft limit of open files: some systems begin at 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT set `stop`."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def say(something: dict[str, object]) -> None:
    """Print one JSON line: the process is up."""
    sys.stdout.write(json.dumps(something) + "\n")
    sys.stdout.flush()


async def sleep(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until `stop` is set."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def watch_loop(who: str, timeout_s: float, stop: asyncio.Event) -> None:
    """Log a warning whenever the loop comes back later than a tenth of a step's timeout: that looks like blocking."""
    tolerated_s = timeout_s / 10
    while not stop.is_set():
        before = time.monotonic()
        await sleep(stop, tolerated_s / 2)
        late_s = time.monotonic() - before - tolerated_s / 2
        if late_s > tolerated_s:
            log.warning(
                "the loop stalled", who=who, late_ms=round(late_s * 1000), tolerated_ms=round(tolerated_s * 1000)
            )

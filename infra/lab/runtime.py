"""What the lab's two processes share: limits, the line on stdout when ready, and a check of the event loop."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time

import structlog

from probe.base.stopping import stops_within

log = structlog.get_logger()

_OPEN_FILES = 8192


def allow_many_files() -> None:
    """Raise the soft limit of open files to 8192 or the hard limit: on some systems it is 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def report_ready(message: dict[str, object]) -> None:
    """Print a message as one line of JSON on stdout, which tells the parent that this process is ready."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def warn_of_stalls(process: str, timeout_s: float, stop: asyncio.Event) -> None:
    """Log a warning whenever the event loop is late by more than a tenth of a step's timeout.

    A stalled lab delays answers, which can look like blocking. `process` names the process in the log.
    """
    tolerated_s = timeout_s / 10
    while not stop.is_set():
        start_s = time.monotonic()
        await stops_within(stop, tolerated_s / 2)
        late_s = time.monotonic() - start_s - tolerated_s / 2
        if late_s > tolerated_s:
            log.warning(
                "the event loop stalled",
                process=process,
                late_ms=round(late_s * 1000),
                tolerated_ms=round(tolerated_s * 1000),
            )

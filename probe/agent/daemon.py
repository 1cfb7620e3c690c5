"""The process that measures for months: `python -m probe.agent.daemon [CONFIG]`. `blockonset probe run` executes it.

It is the light agent: a process of its own does each run (`probe.agent.worker_process`). A probe that stays connected
(`deliver_every_s = 0`) does everything in this process. It loads neither the command line's library nor rich, which
together take 8 MB and are for people at a terminal.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # structlog loads rich wherever it is installed, for tracebacks in colour. Without it, tracebacks are plain text.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from probe.agent import child_worker
from probe.agent.agent import Agent
from probe.agent.child_worker import ChildWorker
from probe.base import core_dumps, process
from probe.base.service_notification import keep_notifying, notify
from probe.base.stopping import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable


class Runnable(Protocol):
    """A probe that runs until it is told to stop."""

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set."""


def command(file: Path | None) -> list[str]:
    """The command line of the process, for a configuration file or for the environment alone (None)."""
    return [sys.executable, "-m", "probe.agent.daemon", *([str(file)] if file else [])]


async def run_until_signal(running: Runnable) -> None:
    """Run a probe until SIGINT or SIGTERM, and tell the service manager about it."""
    stop = asyncio.Event()
    stop_on_signals(stop)
    notify("READY=1")
    notifying = asyncio.create_task(keep_notifying())
    try:
        await running.run(stop)
    finally:
        notifying.cancel()


def main(worker_command: Callable[[Path | None], list[str]] = child_worker.command) -> None:
    """Print the probe's id in a line of JSON, then measure until a signal ends it.

    `worker_command` gives the command line of a worker for a configuration file.
    """
    core_dumps.forbid()
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    worker = ChildWorker.describe(worker_command(file))
    running: Runnable = Agent(worker)
    if worker.visits is None:
        from probe.agent import loading  # noqa: PLC0415 - what it loads is too heavy for an agent

        running = loading.probe(file)
    sys.stdout.write(json.dumps({"probe": worker.facts.id}) + "\n")
    sys.stdout.flush()
    asyncio.run(run_until_signal(running))


if __name__ == "__main__":
    process.guarded(main)

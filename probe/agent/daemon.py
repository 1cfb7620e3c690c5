"""The process that measures for weeks: `python -m probe.agent.daemon [CONFIG]`. `blockonset probe run` executes it.

It loads neither the command line's library nor rich, which together take 8 MB and are for people at a terminal.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # structlog loads rich wherever it is installed, for tracebacks in colour. Without it, tracebacks are plain text.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]

import asyncio
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from probe.base import process
from probe.home import config, consent, texts

if TYPE_CHECKING:
    from probe.agent.agent import Probe
    from probe.home.config import Config
    from probe.protocol.watch import Watch


def command(file: Path | None) -> list[str]:
    """The command line of the process, for a configuration file or for the environment alone (None)."""
    return [sys.executable, "-m", "probe.agent.daemon", *([str(file)] if file else [])]


def check(file: Path | None) -> tuple[Config, Watch]:
    """Read a configuration and its watch, which must be signed and consented to. Raises UserError.

    An expired watch is accepted: the probe then measures nothing, delivers what waits, and asks for a newer watch.
    """
    from probe.custody import watch_renewal  # noqa: PLC0415

    settings = config.load(file)
    watch = watch_renewal.present(settings)
    if not watch.fictional:  # a lab's network is on this machine and contacts nobody
        consent.require(Path(settings.data), settings.accept_risk, texts.load(settings.language))
    return settings, watch


def probe(file: Path | None) -> Probe:
    """The probe of a configuration. Raises UserError."""
    from probe.agent.agent import Probe  # noqa: PLC0415
    from probe.net.network import Network  # noqa: PLC0415

    settings, watch = check(file)
    return Probe(settings, Network(), watch)


async def run_until_signal(running: Probe) -> None:
    """Run a probe until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await running.run(stop)


def main() -> None:
    """Print the probe's id in a line of JSON, then measure until a signal ends it."""
    running = probe(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    sys.stdout.write(json.dumps({"probe": running.id}) + "\n")
    sys.stdout.flush()
    asyncio.run(run_until_signal(running))


if __name__ == "__main__":
    process.guarded(main)

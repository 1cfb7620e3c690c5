# ruff: noqa: E402 - rich is kept out before anything can load it
"""The probe that `infra.bench.weight` weighs: the shipped one in a process of its own, its addresses in the lab.

    python -m infra.bench.weight.probe_process CONFIG MAP LINE AUTHORITY CADENCE_S SWEEP_S

Nothing of infra or the aggregator is loaded here beside this file, so that its memory is a probe's memory.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("rich", None)  # type: ignore[arg-type] # as probe.daemon does

import asyncio
import errno
import json
from pathlib import Path

import msgspec

from probe.agent import agent, daemon
from probe.base import logs
from probe.custody import watch_renewal
from probe.home import config as configs
from probe.net.network import Network


class MapDialer:
    """Leads a line's addresses to the lab's loopback ports, by the lab's own map, and nowhere else."""

    def __init__(self, file: Path, line: str) -> None:
        self._ways = json.loads(file.read_bytes())["lines"][line]

    def tcp(self, address: str, port: int) -> tuple[str, int]:
        """The loopback port. Raises OSError for what isn't in the lab."""
        port_there = self._ways["ports"].get(f"{address}:{port}")
        if port_there is None:
            raise OSError(errno.ENETUNREACH, "not in the lab")
        return "127.0.0.1", port_there

    def udp(self, _address: str, _port: int) -> None:
        """None, as in the lab itself: nothing there speaks QUIC."""

    def has_route(self, address: str) -> bool:
        """The lab has no IPv6."""
        return ":" not in address

    def system_resolver(self) -> tuple[str, int]:
        """The line's resolver."""
        return "127.0.0.1", self._ways["resolver"]


def main(config: str, lines: str, line: str, authority: str, cadence_s: str, sweep_s: str) -> None:
    """Run the probe until SIGTERM."""
    logs.setup("info")
    settings = configs.load(Path(config), {})
    watch = watch_renewal.signed_watch(Path(settings.watch), settings.operator)
    watch = msgspec.structs.replace(watch, cadence_s=float(cadence_s), sweep_s=float(sweep_s))
    network = Network(MapDialer(Path(lines), line), Path(authority))
    asyncio.run(daemon.until_told(agent.Probe(settings, network, watch)))


if __name__ == "__main__":
    main(*sys.argv[1:])

# ruff: noqa: E402 - rich is disabled before any import could load it
"""A worker of the agent that `infra.bench.weight` measures: the shipped one, with addresses in the lab.

    python -m infra.bench.weight.worker CONFIG MAP LINE AUTHORITY CADENCE_S SWEEP_S

This module imports nothing of infra or the aggregator, so that the process needs only a worker's memory.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("rich", None)  # type: ignore[arg-type] # as probe.agent.daemon does

import errno
import json
from pathlib import Path

import msgspec

from probe.agent import worker_process
from probe.base import process
from probe.custody import watch_renewal
from probe.home.config import Config, load
from probe.net.network import Network
from probe.protocol.watch import Watch


class MapDialer:
    """Maps a line's addresses to the lab's loopback ports by the country's map; any other address is unreachable."""

    is_real = False

    def __init__(self, file: Path, line: str) -> None:
        self._ports = json.loads(file.read_bytes())["lines"][line]

    def tcp(self, address: str, port: int) -> tuple[str, int]:
        """The loopback address and port. Raises OSError for an address that isn't in the lab."""
        mapped = self._ports["ports"].get(f"{address}:{port}")
        if mapped is None:
            raise OSError(errno.ENETUNREACH, "not in the lab")
        return "127.0.0.1", mapped

    def udp(self, _address: str, _port: int) -> None:
        """None: the lab's servers don't support QUIC."""

    def has_route(self, address: str) -> bool:
        """Whether the address is IPv4: the lab has no IPv6."""
        return ":" not in address

    def system_resolver(self) -> tuple[str, int]:
        """The loopback address and port of the line's resolver."""
        return "127.0.0.1", self._ports["resolver"]


def main(config: str, map_file: str, line: str, authority: str, cadence_s: str, sweep_s: str) -> None:
    """Carry out one order of the agent."""

    def read_settings() -> tuple[Config, Watch]:
        settings = load(Path(config), {})
        watch = watch_renewal.signed_watch(Path(settings.watch), settings.operator)
        return settings, msgspec.structs.replace(watch, cadence_s=float(cadence_s), sweep_s=float(sweep_s))

    worker_process.serve(read_settings, lambda: Network(MapDialer(Path(map_file), line), Path(authority)))


if __name__ == "__main__":
    process.guarded(lambda: main(*sys.argv[1:]))

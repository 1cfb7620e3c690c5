"""The near side of the test bed: many runs of the shipped probe on one line, in a namespace.

`python -m infra.bench.matrix.near_side --watch FILE --authority FILE --runs N --at-once K` prints, for every run, its
measurements as one line of JSON. The network is the namespace's own: real sockets, the machine's resolver, its own
routes.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from infra.lab.runtime import allow_many_files
from probe.base.logs import setup
from probe.measure.plan import RunPlanner
from probe.measure.run import measure
from probe.net.dialer import RealDialer
from probe.net.network import Network
from probe.place.vantage import configured
from probe.protocol import watch_file
from probe.protocol.measurement import Vantage

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.bench.matrix.judge import Run
    from probe.protocol.watch import Watch

_SWEEP_FIRST = 24
_TICK_S, _LATE_S = 0.03, 0.01


class _TcpAlone(RealDialer):
    """No QUIC: the test bed has none and no rule reads it, and its processes would take the machine from many runs."""

    def udp(self, _address: str, _port: int) -> None:
        """None."""


async def runs(
    watch: Watch,
    network: Network,
    vantage: Vantage,
    count: int,
    at_once: int,
    tell: Callable[[Run], None],
    *,
    sweep: bool = False,
    gate: asyncio.Lock | None = None,
) -> None:
    """Make so many runs, so many at a time, and `tell` of each as it ends. They begin one by one, at a `gate`."""
    left, entrance = iter(range(count)), gate or asyncio.Lock()

    async def worker(number: int) -> None:
        # One probe by its own plan: the first of them sweep first, the others have run for a while.
        rounds = None if sweep else RunPlanner(watch.sweep_s, swept=number >= _SWEEP_FIRST)
        for _ in left:
            async with entrance:
                await _quiet()
            made = await measure(watch, network, configured(vantage), rounds=rounds)
            tell(made)

    await asyncio.gather(*(worker(n) for n in range(min(at_once, count))))


async def _quiet() -> None:
    """Wait until this process keeps up: what begins then finds a loop that is free, however many runs wait."""
    while True:
        start = time.monotonic()
        await asyncio.sleep(_TICK_S)
        if time.monotonic() - start < _TICK_S + _LATE_S:
            return


def main() -> None:
    """Read the command line, and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--watch", type=Path, required=True)
    parser.add_argument("--authority", type=Path, required=True)
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--role", choices=("probe", "reference"), default="probe")
    parser.add_argument("--sweep", action="store_true", help="test everything in every run")
    given = parser.parse_args()
    setup()
    allow_many_files()
    watch = watch_file.read(given.watch.read_bytes(), str(given.watch))
    vantage = Vantage(role=given.role, asn=64500 if given.role == "probe" else 64999, access="fixed", line="bench")
    network = Network(_TcpAlone(), ca_file=given.authority)

    def tell(made: Run) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(made) + b"\n")

    asyncio.run(runs(watch, network, vantage, given.runs, given.at_once, tell, sweep=given.sweep))


if __name__ == "__main__":
    main()

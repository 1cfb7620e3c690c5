"""The near side of the test bed: many runs of the shipped probe on one line, in a namespace.

`python -m infra.bench.matrix.near_side --watch FILE --authority FILE --runs N --at-once K` prints each run's
measurements as one line of JSON. The network is the namespace's own, with real sockets, its resolver and its routes.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from infra.lab.country import BLOCK_PAGES
from infra.lab.runtime import allow_many_files
from probe.base.logs import setup
from probe.measure.plan import RunPlanner
from probe.measure.run import measure
from probe.net.dialer import RealDialer
from probe.net.network import Network
from probe.place.path_notice import PathNotice
from probe.place.vantage import configured
from probe.protocol import watch_file
from probe.protocol.measurement import Vantage

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.bench.matrix.judge import Run
    from probe.protocol.watch import Watch

_PROBES_THAT_SWEEP_FIRST = 24
_TICK_S, _LATE_S = 0.03, 0.01


class _TcpOnlyDialer(RealDialer):
    """Leaves out QUIC: the test bed has none, no rule reads it, and its processes would slow down many runs."""

    def udp(self, _address: str, _port: int) -> None:
        """None."""


async def runs(
    watch: Watch,
    network: Network,
    vantage: Vantage,
    count: int,
    at_once: int,
    take: Callable[[Run], None],
    *,
    sweep: bool = False,
    start_lock: asyncio.Lock | None = None,
) -> None:
    """Make `count` runs, `at_once` at a time, and give each to `take` when it ends.

    They start one by one: `start_lock`, if given, makes this hold for several calls together.
    """
    remaining, start_lock = iter(range(count)), start_lock or asyncio.Lock()

    async def worker(number: int) -> None:
        # A worker is a probe with its own plan: the first ones begin with a sweep, the others have already had theirs.
        planner = None if sweep else RunPlanner(watch.sweep_s, swept=number >= _PROBES_THAT_SWEEP_FIRST)
        for _ in remaining:
            async with start_lock:
                await _until_loop_is_punctual()
            take(await measure(watch, network, configured(vantage), planner=planner))

    await asyncio.gather(*(worker(n) for n in range(min(at_once, count))))


async def _until_loop_is_punctual() -> None:
    """Wait until the event loop wakes on time, so that a run doesn't start while the process is overloaded."""
    while True:
        before_s = time.monotonic()
        await asyncio.sleep(_TICK_S)
        if time.monotonic() - before_s < _TICK_S + _LATE_S:
            return


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--watch", type=Path, required=True)
    parser.add_argument("--authority", type=Path, required=True)
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--role", choices=("probe", "reference"), default="probe")
    parser.add_argument("--sweep", action="store_true", help="test everything in every run")
    options = parser.parse_args()
    setup()
    allow_many_files()
    watch = watch_file.read(options.watch.read_bytes(), str(options.watch))
    vantage = Vantage(role=options.role, asn=64500 if options.role == "probe" else 64999, access="fixed", line="bench")
    network = Network(_TcpOnlyDialer(), options.authority, BLOCK_PAGES)

    notice = PathNotice()

    def write(run: Run) -> None:
        notice.report(run[0].vantage)
        sys.stdout.buffer.write(msgspec.json.encode(run) + b"\n")

    asyncio.run(runs(watch, network, vantage, options.runs, options.at_once, write, sweep=options.sweep))


if __name__ == "__main__":
    main()

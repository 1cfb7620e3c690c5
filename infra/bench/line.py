"""The near side of the test bed: many runs of the shipped probe on one line, in a namespace.

`python -m infra.bench.line --watch FILE --authority FILE --runs N --at-once K` prints, for every run, its measurements
as one line of JSON. The network is the namespace's own: real sockets, the machine's resolver, its own routes.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from probe import watch as watches
from probe.logs import setup
from probe.measurement import Vantage
from probe.network import Network
from probe.rounds import Rounds
from probe.run import measure
from probe.vantage import configured

if TYPE_CHECKING:
    from probe.watch import Watch


async def runs(watch: Watch, network: Network, vantage: Vantage, count: int, at_once: int, *, sweep: bool) -> None:
    """Make so many runs, so many at the same time, each a line of JSON on stdout."""
    left = iter(range(count))

    async def worker() -> None:
        rounds = None if sweep else Rounds(watch.sweep_s)  # one probe, that sweeps first and by its own plan
        for _ in left:
            made = await measure(watch, network, configured(vantage), rounds=rounds)
            sys.stdout.buffer.write(msgspec.json.encode(made) + b"\n")

    await asyncio.gather(*(worker() for _ in range(min(at_once, count))))


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
    watch = watches.read(given.watch.read_bytes(), str(given.watch))
    vantage = Vantage(role=given.role, asn=64500 if given.role == "probe" else 64999, access="fixed", line="bench")
    network = Network(ca_file=given.authority)
    asyncio.run(runs(watch, network, vantage, given.runs, given.at_once, sweep=given.sweep))


if __name__ == "__main__":
    main()

"""The lab as a test bed that needs no root: a provider for every method, gateways and resolvers on loopback.

The lab works above sockets (no packet is lost or forged), so it covers less than the namespaces do; but it runs on
every system.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from typing import TYPE_CHECKING

from infra.bench.matrix import near_side
from infra.child import blockonset, end
from infra.lab import scenario
from infra.lab.country import BLOCK_PAGES, authority_file, map_file
from infra.lab.dialer import CurrentMap, LabDialer
from infra.lab.interference import methods
from infra.lab.watch import watch_toml
from probe.base.clock import now_ms
from probe.base.errors import UserError
from probe.net.network import Network
from probe.protocol import watch_file
from probe.protocol.measurement import Vantage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from infra.bench.matrix.judge import Run
    from probe.protocol.watch import Watch

_LONGER_TIMES = {"cadence_s = 1.0": "cadence_s = 12.0", "timeout_s = 0.5": "timeout_s = 6.0"}
_AT_ONCE = 6
"""Simultaneous runs on each line."""
_PROVIDER = '[[providers]]\nid = "{id}"\nname = "{id}"\naccess = "fixed"\nasn = {asn}\nlines = 1\n{events}\n'
_STARTED_MS_AGO = 3_600_000
"""How long ago the scenario's zero time is: all blocks are in force."""


def provider_events() -> dict[str, str]:
    """What happens at each provider, as a line of a scenario, by the provider's id."""
    events = {m: f'block = {{ method = "{m}", onset_s = 1 }}' for m in methods()}
    events["one-of-two"] = 'block = { method = "mtproto-dropped", onset_s = 1, endpoints = ["dc2"] }'
    return events | {"nothing": "", "outage": "outage = { start_s = 1, end_s = 1e6 }"}


def expected(provider: str) -> tuple[str, str]:
    """The verdict and method that runs on a provider must get, on the surfaces web and app."""
    if provider in ("nothing", "outage"):
        return ("ok", "ok") if provider == "nothing" else ("inconclusive", "inconclusive")
    if provider == "one-of-two":
        return "ok", "blocked mtproto-dropped"
    surfaces = methods()[provider].surfaces
    web, app = (f"blocked {provider}" if surface in surfaces else "ok" for surface in ("web", "app"))
    return web, app


def measure(folder: Path, count: int, only: Collection[str] = ()) -> tuple[Watch, dict[str, list[Run]]]:
    """Make `count` runs of the shipped probe on every provider's line, or on those of `only`. Raises UserError.

    Returns the watch, and the runs by provider.
    """
    file, zero_ms = folder / "methods.toml", now_ms() - _STARTED_MS_AGO
    file.write_text(_scenario(only), encoding="utf-8")
    with _country(file, folder, zero_ms):
        watch = watch_file.read(watch_toml(scenario.load(str(file)), zero_ms), "the lab's watch")
        return watch, asyncio.run(_measure_all(watch, folder, count))


async def _measure_all(watch: Watch, folder: Path, count: int) -> dict[str, list[Run]]:
    current_map, start_lock = CurrentMap(map_file(folder)), asyncio.Lock()
    runs: dict[str, list[Run]] = {p.id: [] for p in watch.providers}

    async def measure_line(provider: str, asn: int) -> None:
        network = Network(LabDialer(current_map, f"{provider}-1"), authority_file(folder), BLOCK_PAGES)
        vantage = Vantage(asn=asn, access="fixed", line=provider)
        sweep = provider == "throttled"  # only sweeps measure speed
        await near_side.runs(
            watch, network, vantage, count, _AT_ONCE, runs[provider].append, sweep=sweep, start_lock=start_lock
        )

    await asyncio.gather(*(measure_line(p.id, p.networks[0].asn) for p in watch.providers))
    return runs


def _scenario(only: Collection[str] = ()) -> str:
    """The quick scenario with a provider for each method, and longer timeouts: a busy machine must not look blocked."""
    quick = (scenario.FOLDER / "quick.toml").read_text(encoding="utf-8")
    head = quick[: quick.index("[[providers]]")]
    for short, longer in _LONGER_TIMES.items():
        head = head.replace(short, longer)
    chosen = {name: events for name, events in provider_events().items() if not only or name in only}
    rows = enumerate(chosen.items(), scenario.PRIVATE_ASNS.start)
    return head + "\n".join(_PROVIDER.format(id=name, asn=asn, events=events) for asn, (name, events) in rows)


@contextlib.contextmanager
def _country(file: Path, folder: Path, zero_ms: int) -> Iterator[None]:
    """Run the shipped command for the time of a block, which begins when the country is ready."""
    command = [*blockonset("lab", "country"), "--scenario", str(file), "--data", str(folder)]
    log = folder / "country.log"
    with log.open("wb") as err:
        process = subprocess.Popen([*command, "--zero-ms", str(zero_ms)], stdout=subprocess.PIPE, stderr=err)
    try:
        assert process.stdout is not None
        if json.loads(process.stdout.readline() or b"{}").get("country") != file.stem:
            raise UserError(f"the lab's country didn't start: {log.read_text()}")
        yield
    finally:
        end(process, 10)
        if process.stdout:
            process.stdout.close()

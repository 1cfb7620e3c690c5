"""The lab as a test bed that needs no root: a provider for every method, gateways and resolvers on loopback.

Nothing below a socket can be done there (no packet is lost or forged on its way), so it shows less than the namespaces
do; it runs wherever Python does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from infra.bench.matrix import near_side
from infra.lab import scenario
from infra.lab.country import authority_file, map_file
from infra.lab.dialer import CurrentMap, LabDialer
from infra.lab.interference import methods
from infra.lab.watch import watch_toml
from probe.base.errors import UserError
from probe.net.network import Network
from probe.protocol import watch_file
from probe.protocol.measurement import Vantage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from infra.bench.matrix.judge import Run
    from probe.protocol.watch import Watch

_PATIENCE = {"cadence_s = 1.0": "cadence_s = 12.0", "timeout_s = 0.5": "timeout_s = 6.0"}
_AT_ONCE = 6
"""Runs under way on each line."""
_PROVIDER = '[[providers]]\nid = "{id}"\nname = "{id}"\naccess = "fixed"\nasn = {asn}\nlines = 1\n{does}\n'
_LONG_AGO_MS = 3_600_000


def does() -> dict[str, str]:
    """What each provider does, as a line of a scenario, by its id."""
    told = {m: f'block = {{ method = "{m}", onset_s = 1 }}' for m in methods()}
    told["one-of-two"] = 'block = { method = "mtproto-dropped", onset_s = 1, endpoints = ["dc2"] }'
    return told | {"nothing": "", "outage": "outage = { start_s = 1, end_s = 1e6 }"}


def must_be(provider: str) -> tuple[str, str]:
    """The verdict and method that runs on a provider must get, on the surfaces web and app."""
    if provider in ("nothing", "outage"):
        return ("ok", "ok") if provider == "nothing" else ("inconclusive", "inconclusive")
    if provider == "one-of-two":
        return "ok", "blocked mtproto-dropped"
    touched = methods()[provider].surfaces
    web, app = (f"blocked {provider}" if surface in touched else "ok" for surface in ("web", "app"))
    return web, app


def measure(folder: Path, count: int, only: Collection[str] = ()) -> tuple[Watch, dict[str, list[Run]]]:
    """So many runs of the shipped probe on the line of every provider, or of those named. Raises UserError."""
    file, zero_ms = folder / "methods.toml", time.time_ns() // 1_000_000 - _LONG_AGO_MS
    file.write_text(_scenario(only), encoding="utf-8")
    with _country(file, folder, zero_ms):
        watch = watch_file.read(watch_toml(scenario.load(str(file)), zero_ms), "the lab's watch")
        return watch, asyncio.run(_all(watch, folder, count))


async def _all(watch: Watch, folder: Path, count: int) -> dict[str, list[Run]]:
    atlas, gate = CurrentMap(map_file(folder)), asyncio.Lock()
    found: dict[str, list[Run]] = {p.id: [] for p in watch.providers}

    async def on(provider: str, asn: int) -> None:
        network = Network(LabDialer(atlas, f"{provider}-1"), authority_file(folder))
        vantage = Vantage(asn=asn, access="fixed", line=provider)
        # What is throttled shows in sweeps alone.
        sweep = provider == "throttled"
        await near_side.runs(watch, network, vantage, count, _AT_ONCE, found[provider].append, sweep=sweep, gate=gate)

    await asyncio.gather(*(on(p.id, p.networks[0].asn) for p in watch.providers))
    return found


def _scenario(only: Collection[str] = ()) -> str:
    """The quick scenario with a provider for each way, and with more patience: a busy machine is no block."""
    quick = (scenario.FOLDER / "quick.toml").read_text(encoding="utf-8")
    head = quick[: quick.index("[[providers]]")]
    for short, long in _PATIENCE.items():
        head = head.replace(short, long)
    chosen = {name: how for name, how in does().items() if not only or name in only}
    rows = enumerate(chosen.items(), scenario.PRIVATE_ASNS.start)
    return head + "\n".join(_PROVIDER.format(id=name, asn=asn, does=how) for asn, (name, how) in rows)


@contextlib.contextmanager
def _country(file: Path, folder: Path, zero_ms: int) -> Iterator[None]:
    """The shipped command, until it is up and for the time of a block."""
    command = [sys.executable, "-m", "probe", "lab", "country", "--scenario", str(file), "--data", str(folder)]
    log = folder / "country.log"
    with log.open("wb") as err:
        process = subprocess.Popen([*command, "--zero-ms", str(zero_ms)], stdout=subprocess.PIPE, stderr=err)
    try:
        assert process.stdout is not None
        if json.loads(process.stdout.readline() or b"{}").get("country") != file.stem:
            raise UserError(f"the lab's country didn't start: {log.read_text()}")
        yield
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout:
            process.stdout.close()

"""The country as one process: a gateway for every provider, whose interference follows the clock.

`blockonset lab country --scenario staggered --data DIR --zero-ms N` prints one JSON line when all servers listen, and
ends with 0 on SIGTERM or SIGINT. Its state depends on the clock alone, so a restart continues the scenario.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog

from infra.lab.gateway import CountrySetup, Gateway, zone_of
from infra.lab.runtime import allow_many_files, report_ready, warn_of_stalls
from infra.lab.servers.authority import AUTHORITY
from infra.lab.servers.certificates import Certificates
from probe.base import private_file
from probe.base.errors import UserError
from probe.base.stopping import stop_on_signals, stops_within

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.lab.scenario import Scenario

log = structlog.get_logger()

TICK_S = 0.02
"""How late a block may begin or end."""
BLOCK_PAGES = Path(__file__).with_name("block_pages.csv")
"""The fingerprints by which the lab's probes recognize its block page; takes the place of the shipped list."""
_SWEEP_S = 1.0


class LinePorts(msgspec.Struct, frozen=True):
    """Where one line's traffic goes: the loopback port of its resolver (UDP), and others by `address:port` (TCP)."""

    resolver: int
    ports: dict[str, int]


class CountryMap(msgspec.Struct, frozen=True):
    """What the country writes for the fleet: every line's ports, by the line's name."""

    lines: dict[str, LinePorts]


def map_file(data: Path) -> Path:
    """The file to which the country writes its map."""
    return data / "country" / "map.json"


def authority_file(data: Path) -> Path:
    """The authority's certificate that the fleet trusts; it is written before the map."""
    return data / "country" / AUTHORITY


def line_names(scenario: Scenario) -> Iterator[tuple[str, str, int]]:
    """Every line as (name, provider's id or "" for a reference, the line's number from 1)."""
    for provider in scenario.providers:
        for n in range(1, provider.lines + 1):
            yield f"{provider.id}-{n}", provider.id, n
    for n in range(1, scenario.references + 1):
        yield f"reference-{n}", "", n


def build(loop: asyncio.AbstractEventLoop, scenario: Scenario, data: Path) -> tuple[list[Gateway], CountryMap]:
    """Open every gateway of the country, and make the map. A flaky line has a gateway of its own."""
    country = CountrySetup(scenario, zone_of(scenario), Certificates(data / "country", scenario))
    gateways: dict[tuple[str, int], Gateway] = {}
    lines = {}
    for name, provider_id, line in line_names(scenario):
        provider = scenario.provider(provider_id)
        flaky_line = line if provider and provider.flaky and provider.flaky.line == line else 0
        gateway = gateways.get((provider_id, flaky_line))
        if gateway is None:
            gateway = gateways[provider_id, flaky_line] = Gateway(loop, country, provider, flaky_line)
        lines[name] = LinePorts(gateway.resolver_port, gateway.ports())
    return list(gateways.values()), CountryMap(lines)


def publish(country_map: CountryMap, file: Path) -> None:
    """Write the map atomically: a reader sees the old one or the new one."""
    private_file.replace(file, msgspec.json.encode(country_map))


async def run(scenario: Scenario, data: Path, zero_ms: int, stop: asyncio.Event) -> None:
    """Run the country until `stop` is set. `zero_ms` is the scenario's zero time, milliseconds since the epoch.

    Raises UserError when `data` can't be written or no port is free.
    """
    file = map_file(data)
    try:
        file.unlink(missing_ok=True)  # ports of an earlier process may belong to another one by now
        gateways, country_map = build(asyncio.get_running_loop(), scenario, data)
        for gateway in gateways:
            gateway.apply(_since(zero_ms))
        publish(country_map, file)
    except OSError as e:
        cause = e.filename or "a loopback port"
        raise UserError(f"the lab's country can't start in {data}: {cause}: {e.strerror}") from e
    report_ready({"country": scenario.name, "lines": len(country_map.lines), "map": str(file)})
    try:
        await asyncio.gather(
            _follow_clock(gateways, zero_ms, stop), warn_of_stalls("country", scenario.timeout_s, stop)
        )
    finally:
        file.unlink(missing_ok=True)
        for gateway in gateways:
            gateway.close()


async def _follow_clock(gateways: list[Gateway], zero_ms: int, stop: asyncio.Event) -> None:
    """Apply the interference of the present time every tick, and close old connections every second."""
    swept_s = time.monotonic()
    while not stop.is_set():
        t = _since(zero_ms)
        changed = sum(gateway.apply(t) for gateway in gateways)
        if changed:
            log.debug("interference changed", t_s=round(t, 2), gateways=changed)
        if time.monotonic() - swept_s > _SWEEP_S:
            swept_s = time.monotonic()
            for gateway in gateways:
                gateway.sweep()
        await stops_within(stop, TICK_S)


def _since(zero_ms: int) -> float:
    return time.time() - zero_ms / 1000


async def serve(scenario: Scenario, data: Path, zero_ms: int) -> None:
    """Run the country as a process, until SIGTERM or SIGINT. Raises UserError as `run` does."""
    allow_many_files()
    stop = asyncio.Event()
    stop_on_signals(stop)
    await run(scenario, data, zero_ms, stop)

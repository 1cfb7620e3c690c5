"""The country as one process: gateways for every provider, turned by the clock.

`blockonset lab country --scenario staggered --data DIR --zero-ms N` prints one JSON line when all listens, and
ends with 0 on SIGTERM or SIGINT. State follows from the clock alone: restarted in mid-scenario, it goes on from there.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec
import structlog

from infra.lab.gateway import CountrySetup, Gateway, zone_of
from infra.lab.runtime import allow_many_files, say, sleep, stop_on_signals, watch_loop
from infra.lab.servers.certificates import AUTHORITY, Certificates
from probe.base.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.lab.scenario import Scenario

log = structlog.get_logger()

TICK_S = 0.02
"""How late, at most, a block begins and ends."""
_SWEEP_S = 1.0


class LinePorts(msgspec.Struct, frozen=True):
    """Where one line's traffic goes: loopback ports of its resolver (UDP) and by `address:port` (TCP)."""

    resolver: int
    ports: dict[str, int]


class CountryMap(msgspec.Struct, frozen=True):
    """What the country writes for the fleet: every line's ways, by the line's name."""

    lines: dict[str, LinePorts]


def map_file(data: Path) -> Path:
    """Where the country writes its map."""
    return data / "country" / "map.json"


def authority_file(data: Path) -> Path:
    """The certificate that the fleet trusts; it is there before the map is."""
    return data / "country" / AUTHORITY


def line_names(scenario: Scenario) -> Iterator[tuple[str, str, int]]:
    """Every line as (name, provider's id or "" for a reference, the line's number from 1)."""
    for provider in scenario.providers:
        for n in range(1, provider.lines + 1):
            yield f"{provider.id}-{n}", provider.id, n
    for n in range(1, scenario.references + 1):
        yield f"reference-{n}", "", n


def build(loop: asyncio.AbstractEventLoop, scenario: Scenario, data: Path) -> tuple[list[Gateway], CountryMap]:
    """Open every gateway of the country, and draw the map. A flaky line gets a gateway of its own."""
    country = CountrySetup(scenario, zone_of(scenario), Certificates(data / "country", scenario))
    gateways: dict[tuple[str, int], Gateway] = {}
    lines = {}
    for name, provider_id, line in line_names(scenario):
        provider = scenario.provider(provider_id)
        own = line if provider and provider.flaky and provider.flaky.line == line else 0
        gateway = gateways.get((provider_id, own))
        if gateway is None:
            gateway = gateways[provider_id, own] = Gateway(loop, country, provider, own)
        lines[name] = LinePorts(gateway.resolver_port, gateway.ports())
    return list(gateways.values()), CountryMap(lines)


def publish(drawn: CountryMap, file: Path) -> None:
    """Write the map, all at once: whoever reads it sees the old one or the new one."""
    draft = file.with_suffix(".new")
    draft.write_bytes(msgspec.json.encode(drawn))
    draft.replace(file)


async def run(scenario: Scenario, data: Path, zero_ms: int, stop: asyncio.Event) -> None:
    """Be the country until `stop` is set. `zero_ms` is the scenario's zero time, milliseconds since the epoch.

    Raises UserError when `data` can't be written or no port can be had.
    """
    file = map_file(data)
    try:
        file.unlink(missing_ok=True)  # ports of an earlier life may be somebody else's by now
        gateways, drawn = build(asyncio.get_running_loop(), scenario, data)
        for gateway in gateways:
            gateway.turn(_since(zero_ms))
        publish(drawn, file)
    except OSError as e:
        what = e.filename or "a loopback port"
        raise UserError(f"the lab's country can't begin in {data}: {what}: {e.strerror}") from e
    say({"country": scenario.name, "lines": len(drawn.lines), "map": str(file)})
    try:
        await asyncio.gather(_keep_turning(gateways, zero_ms, stop), watch_loop("country", scenario.timeout_s, stop))
    finally:
        file.unlink(missing_ok=True)
        for gateway in gateways:
            gateway.close()


async def _keep_turning(gateways: list[Gateway], zero_ms: int, stop: asyncio.Event) -> None:
    """Turn the gateways by the clock, and now and then close connections that nobody ended."""
    swept = time.monotonic()
    while not stop.is_set():
        t = _since(zero_ms)
        changed = sum(gateway.turn(t) for gateway in gateways)
        if changed:
            log.debug("gateways turned", t=round(t, 2), gateways=changed)
        if time.monotonic() - swept > _SWEEP_S:
            swept = time.monotonic()
            for gateway in gateways:
                gateway.sweep()
        await sleep(stop, TICK_S)


def _since(zero_ms: int) -> float:
    return time.time() - zero_ms / 1000


async def serve(scenario: Scenario, data: Path, zero_ms: int) -> None:
    """The process' life: until SIGTERM or SIGINT."""
    allow_many_files()
    stop = asyncio.Event()
    stop_on_signals(stop)
    await run(scenario, data, zero_ms, stop)

"""All probes of a scenario in one process: real probes, each with its own key, spool and connection.

`blockonset lab fleet` prints one JSON line when they run, and ends with 0 on SIGTERM or SIGINT after a last delivery.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from infra.lab.country import BLOCK_PAGES, authority_file, line_names, map_file
from infra.lab.dialer import CurrentMap, LabDialer
from infra.lab.runtime import allow_many_files, report_ready, warn_of_stalls
from infra.lab.scenario import ABROAD_ASN
from probe.agent.probe import Probe
from probe.base.stopping import stop_on_signals
from probe.custody.watch_renewal import signed_watch
from probe.home import files
from probe.home.config import Config, VantageConfig
from probe.net.network import Network
from probe.protocol.keys import Key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.lab.scenario import Scenario

_FLUSH_S = 8.0


def prepare(scenario: Scenario, data: Path) -> list[str]:
    """Create the keys that don't exist yet, and return the probes' ids in the order of the lines."""
    return [Key.load_or_create(folder(data, name) / files.KEY, "user").id for name, _, _ in line_names(scenario)]


def folder(data: Path, line: str) -> Path:
    """The directory of a line's probe, with its key and its spool."""
    return data / "fleet" / line


def spools(scenario: Scenario, data: Path) -> list[Path]:
    """The spool files that exist."""
    return [file for name, _, _ in line_names(scenario) if (file := folder(data, name) / files.SPOOL).exists()]


def vantage(scenario: Scenario, provider_id: str, line: str) -> VantageConfig:
    """The network that the probe on a line is configured with; provider "" means a reference abroad."""
    provider = scenario.provider(provider_id)
    if provider is None:
        return VantageConfig(role="reference", asn=ABROAD_ASN, access="fixed", line=line, line_kind="server")
    return VantageConfig(
        asn=provider.asn,
        country=scenario.country,
        access=provider.access,
        line=line,
        line_kind="home" if provider.access == "fixed" else "hotspot",
    )


def configs(scenario: Scenario, data: Path, nats: Sequence[str], operator: str, watch: Path) -> dict[str, Config]:
    """Every probe's configuration, by the name of its line. All intervals are at most one cadence."""
    return {
        name: Config(
            data=str(folder(data, name)),
            nats=tuple(nats),
            operator=operator,
            watch=str(watch),
            deliver_every_s=0,
            metered="no",
            seal_s=scenario.cadence_s,
            receipt_timeout_s=scenario.cadence_s,
            flush_s=_FLUSH_S,
            reconnect_most_s=scenario.cadence_s,
            vantage=vantage(scenario, provider_id, name),
        )
        for name, provider_id, _ in line_names(scenario)
    }


async def run(scenario: Scenario, data: Path, probes: dict[str, Config], stop: asyncio.Event) -> None:
    """Run a probe on every line until `stop` is set and all have delivered what they can.

    Raises UserError when one of them can't run, after the others have ended.
    """
    shared = next(iter(probes.values()))
    watch = signed_watch(Path(shared.watch), shared.operator)
    current_map, authority = CurrentMap(map_file(data)), authority_file(data)
    fleet = [
        Probe(config, Network(LabDialer(current_map, line), authority, BLOCK_PAGES), watch)
        for line, config in probes.items()
    ]
    tasks = [
        asyncio.create_task(coroutine)
        for coroutine in (*(p.run(stop) for p in fleet), warn_of_stalls("fleet", scenario.timeout_s, stop))
    ]
    report_ready({"fleet": scenario.name, "probes": len(fleet)})
    try:
        await asyncio.gather(*tasks)
    finally:
        stop.set()
        await asyncio.gather(*tasks, return_exceptions=True)


async def serve(scenario: Scenario, data: Path, nats: Sequence[str], operator: str, watch: Path) -> None:
    """Run the fleet as a process, until SIGTERM or SIGINT. Raises UserError as `run` does."""
    allow_many_files()
    stop = asyncio.Event()
    stop_on_signals(stop)
    await run(scenario, data, configs(scenario, data, nats, operator, watch), stop)

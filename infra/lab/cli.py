"""`blockonset lab`: what scenarios there are, and the two processes that play one."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec
from cyclopts import App
from rich.console import Console
from rich.table import Table

from infra.lab import scenario as scenarios
from infra.lab.scenario import Scenario, ScenarioProvider

app = App(name="lab", help="A fictional country on one machine, for a first look, for tests and for benchmarks.")


@app.command(name="list")
def list_(*, json: bool = False) -> None:
    """List the scenarios.

    Parameters
    ----------
    json
        Print JSON.
    """
    known = [scenarios.load(name) for name in scenarios.names()]
    rows = [
        {"name": s.name, "title": s.title, "providers": len(s.providers), "cadence_s": s.cadence_s, "runs_s": s.runs_s}
        for s in known
    ]
    if json:
        sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")
        return
    table = Table()
    for column in ("scenario", "what", "providers", "cadence, s", "runs, s"):
        table.add_column(column)
    for row in rows:
        table.add_row(*(f"{v:g}" if isinstance(v, float) else str(v) for v in row.values()))
    Console().print(table)


@app.command
def show(name: str, *, json: bool = False) -> None:
    """Show what happens in a scenario, what it stands for, and where loopback stands in for something else.

    Parameters
    ----------
    name
        A scenario's name, or the path of a file that ends in .toml.
    json
        Print JSON.
    """
    s = scenarios.load(name)
    if json:
        sys.stdout.write(msgspec.json.encode(s).decode() + "\n")
        return
    console = Console(highlight=False)
    console.print(f"[bold]{s.name}[/bold]: {s.title} (fictional)\n{' '.join(s.stands_for.split())}\n")
    console.print(_providers(s))
    dates = ", ".join(f"{d.kind} at {d.at_s:g} s" for d in s.directive.dates)
    console.print(f"Order: {dates}. A probe on each line measures every {s.cadence_s:g} s.")
    for note in s.notes:
        console.print(f"- {note}")


@app.command(show=False)
def country(*, scenario: str, data: Path, zero_ms: int) -> None:
    """Be the scenario's country until told to stop. `blockonset up --lab` starts this.

    Parameters
    ----------
    scenario
        The scenario's name.
    data
        The stack's data directory.
    zero_ms
        The scenario's zero time, milliseconds since the epoch.
    """
    from infra.lab.country import serve  # noqa: PLC0415 - `lab list` needs none of it

    asyncio.run(serve(scenarios.load(scenario), data, zero_ms))


@app.command(show=False)
def fleet(
    *,
    scenario: str,
    data: Path,
    nats: list[str],
    operator: str,
    watch: Path,
) -> None:
    """Be every probe of a scenario until told to stop. `blockonset up --lab` starts this.

    Parameters
    ----------
    scenario
        The scenario's name.
    data
        The stack's data directory.
    nats
        The broker's URL; may be given more than once.
    operator
        The operator's public key, whose watches and receipts the probes trust.
    watch
        The signed watch's file.
    """
    from infra.lab.fleet import serve  # noqa: PLC0415 - `lab list` needs none of it

    asyncio.run(serve(scenarios.load(scenario), data, nats, operator, watch))


def _providers(s: Scenario) -> Table:
    table = Table()
    for column in ("provider", "lines", "what happens", "from, s", "to, s"):
        table.add_column(column)
    for p in s.providers:
        table.add_row(p.id, str(p.lines), *_happens(p))
    return table


def _happens(p: ScenarioProvider) -> tuple[Any, str, str]:
    if p.block:
        only = f" on {', '.join(p.block.endpoints)} only" if p.block.endpoints else ""
        lift = f"{p.block.lift_s:g}" if p.block.lift_s is not None else ""
        return p.block.method + only, f"{p.block.onset_s:g}", lift
    if p.outage:
        return "outage, controls included", f"{p.outage.start_s:g}", f"{p.outage.end_s:g}"
    if p.flaky:
        return f"nothing; line {p.flaky.line} is bad {p.flaky.share:.0%} of the time", "", ""
    return "nothing", "", ""

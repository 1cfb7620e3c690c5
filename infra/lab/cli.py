"""`blockonset lab`: list and show the scenarios, and run the two processes of one."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec
from cyclopts import App
from rich.table import Table

from infra.lab.scenario import Scenario, ScenarioProvider, load, names
from probe.base.console import console

app = App(name="lab", help="A fictional country on one machine, for a first look, for tests and for benchmarks.")


@app.command(name="list")
def list_(*, json: bool = False) -> None:
    """List the scenarios.

    Parameters
    ----------
    json
        Print JSON.
    """
    known = [load(name) for name in names()]
    rows = [
        {"name": s.name, "title": s.title, "providers": len(s.providers), "cadence_s": s.cadence_s, "runs_s": s.runs_s}
        for s in known
    ]
    if json:
        sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")
        return
    table = Table()
    for column in ("scenario", "title", "providers", "cadence, s", "duration, s"):
        table.add_column(column)
    for row in rows:
        table.add_row(*(f"{v:g}" if isinstance(v, float) else str(v) for v in row.values()))
    console().print(table)


@app.command
def show(name: str, /, *, json: bool = False) -> None:
    """Show what happens in a scenario, what it stands for, and where the lab differs from a real network.

    Parameters
    ----------
    name
        A scenario's name, or the path of a file that ends in .toml.
    json
        Print JSON.
    """
    s = load(name)
    if json:
        sys.stdout.write(msgspec.json.encode(s).decode() + "\n")
        return
    output = console()
    output.print(f"[bold]{s.name}[/bold]: {s.title} (fictional)\n{' '.join(s.stands_for.split())}\n", highlight=False)
    output.print(_providers(s), highlight=False)
    dates = ", ".join(f"{d.kind} at {d.at_s:g} s" for d in s.directive.dates)
    output.print(f"Directive: {dates}. A probe on each line measures every {s.cadence_s:g} s.", highlight=False)
    for note in s.notes:
        output.print(f"- {note}", highlight=False)


@app.command(show=False)
def country(*, scenario: str, data: Path, zero_ms: int) -> None:
    """Run the scenario's country until SIGTERM or SIGINT. `blockonset up --lab` starts this.

    Parameters
    ----------
    scenario
        The scenario's name.
    data
        The stack's data directory.
    zero_ms
        The scenario's zero time, milliseconds since the epoch.
    """
    from infra.lab.country import serve  # noqa: PLC0415 - `lab list` doesn't need it

    asyncio.run(serve(load(scenario), data, zero_ms))


@app.command(show=False)
def fleet(
    *,
    scenario: str,
    data: Path,
    nats: list[str],
    operator: str,
    watch: Path,
) -> None:
    """Run all probes of a scenario until SIGTERM or SIGINT. `blockonset up --lab` starts this.

    Parameters
    ----------
    scenario
        The scenario's name.
    data
        The stack's data directory.
    nats
        The broker's URL; may be given more than once.
    operator
        The public key of the operator whose watches and receipts the probes trust.
    watch
        The file with the signed watch.
    """
    from infra.lab.fleet import serve  # noqa: PLC0415 - `lab list` doesn't need it

    asyncio.run(serve(load(scenario), data, nats, operator, watch))


def _providers(s: Scenario) -> Table:
    table = Table()
    for column in ("provider", "lines", "what happens", "from, s", "to, s"):
        table.add_column(column)
    for p in s.providers:
        table.add_row(p.id, str(p.lines), *_events(p))
    return table


def _events(p: ScenarioProvider) -> tuple[Any, str, str]:
    if p.block:
        only = f" on {', '.join(p.block.endpoints)} only" if p.block.endpoints else ""
        lift = f"{p.block.lift_s:g}" if p.block.lift_s is not None else ""
        return p.block.method + only, f"{p.block.onset_s:g}", lift
    if p.outage:
        return "outage, controls included", f"{p.outage.start_s:g}", f"{p.outage.end_s:g}"
    if p.flaky:
        return f"no block; line {p.flaky.line} loses traffic to the service {p.flaky.share:.0%} of the time", "", ""
    return "no block", "", ""

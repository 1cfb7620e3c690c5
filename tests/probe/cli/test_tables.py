"""A measurement as a table for people."""

from __future__ import annotations

from rich.console import Console

from probe.cli import tables
from probe.measure.run import measure
from probe.place.vantage import configured
from probe.protocol.measurement import Vantage
from tests.support.honest_internet import FORGED, HOST


def shown(measurement):
    """The table as text."""
    console = Console(width=220, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(tables.steps(measurement))
    return console.export_text()


async def test_every_step_is_a_row_with_its_timing(town, network):
    """With failures by name, and what each step recorded."""
    town.forge(FORGED)
    found = {m.check: m for m in await measure(town.watch, network, configured(Vantage()))}
    text = shown(found["tls"])
    assert f"tls (web): {HOST}" in text
    assert "network_unreachable" in text
    assert "ssl_invalid_hostname" in text
    assert f"{FORGED} after" in shown(found["dns"])
    assert shown(found["http"]).count("connect") == 3

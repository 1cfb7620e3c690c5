"""A country in a process of its own, with a provider for every method."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from infra.lab import scenario
from infra.lab.country import BLOCK_PAGES, authority_file, map_file
from infra.lab.dialer import CurrentMap, LabDialer
from infra.lab.interference import methods
from infra.lab.watch import watch_toml
from probe.net.network import Network
from probe.protocol import watch_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from probe.protocol.watch import Watch

QUICK = (scenario.FOLDER / "quick.toml").read_text(encoding="utf-8")
LONGER_TIMES = {"cadence_s = 1.0": "cadence_s = 1.6", "timeout_s = 0.5": "timeout_s = 0.8"}
"""A busy machine can delay a normal answer by half a second."""
PROVIDER = '[[providers]]\nid = "{id}"\nname = "{id}"\naccess = "fixed"\nasn = {asn}\nlines = 1\n{events}\n'


def scenario_text(providers: dict[str, str]) -> str:
    """The quick scenario with longer times and other providers: the events at each, by its id, as TOML lines."""
    head = re.split(r"^\[\[providers\]\]", QUICK, maxsplit=1, flags=re.MULTILINE)[0]
    for quick, longer in LONGER_TIMES.items():
        head = head.replace(quick, longer)
    rows = [PROVIDER.format(id=i, asn=64600 + n, events=events) for n, (i, events) in enumerate(providers.items())]
    return head + "\n".join(rows)


class Running(NamedTuple):
    """A running country."""

    process: subprocess.Popen[bytes]
    watch: Watch
    data: Path

    def network(self, line: str) -> Network:
        """The network of a line's probe."""
        return Network(LabDialer(CurrentMap(map_file(self.data)), line), authority_file(self.data), BLOCK_PAGES)


@contextlib.contextmanager
def country(file: Path, data: Path, zero_ms: int) -> Iterator[Running]:
    """Start the shipped command, wait until it is ready, and end it with SIGTERM."""
    data.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "probe", "lab", "country", "--scenario", str(file)]
    with (data / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--data", str(data), "--zero-ms", str(zero_ms)], stdout=subprocess.PIPE, stderr=log
        )
    try:
        ready = json.loads(process.stdout.readline() or b"{}")
        assert ready.get("country") == file.stem, (data / "log").read_text()
        yield Running(process, watch_file.read(watch_toml(scenario.load(str(file)), zero_ms), "the lab's watch"), data)
    finally:
        process.terminate()
        assert process.wait(10) == 0, (data / "log").read_text()
        process.stdout.close()


@pytest.fixture(scope="module")
def all_methods(tmp_path_factory):
    """A country long after zero, where each method is in force at a provider named after it."""
    events = {m: f'block = {{ method = "{m}", onset_s = 1 }}' for m in methods()}
    events["partial"] = 'block = { method = "mtproto-dropped", onset_s = 1, endpoints = ["dc2"] }'
    events["lifted"] = 'block = { method = "tcp-refused", onset_s = 1, lift_s = 2 }'
    events["outage"] = "outage = { start_s = 1, end_s = 1e6 }"
    events["free"] = ""
    folder = tmp_path_factory.mktemp("country")
    file = folder / "methods.toml"
    file.write_text(scenario_text(events))
    with country(file, folder / "data", round(time.time() * 1000) - 60_000) as running:
        yield running

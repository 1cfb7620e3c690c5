"""The fleet as a process: real probes on every line, over a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time

import pytest

from infra.lab import fleet, scenario
from infra.lab.country import line_names
from infra.lab.watch import watch_toml
from infra.nats import nats_server
from probe.custody.spool import read_ledger
from probe.protocol import watch_file
from probe.protocol.keys import Key
from tests.infra.lab.conftest import country
from tests.support.fake_collector import FakeCollector, eventually

QUICK = scenario.load("quick")
OPERATOR, CORE = Key.create("operator"), Key.create("user")


@contextlib.contextmanager
def running_fleet(data, url):
    """The shipped command, from its first line of output to the end of the block."""
    (data / "watch").write_bytes(watch_file.sign(watch_toml(QUICK, round(time.time() * 1000)), OPERATOR))
    command = [sys.executable, "-m", "probe", "lab", "fleet", "--scenario", "quick", "--data", str(data)]
    command += ["--nats", url, "--operator", OPERATOR.id, "--watch", str(data / "watch")]
    with (data / "fleet.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
    try:
        assert json.loads(process.stdout.readline() or b"{}") == {"fleet": "quick", "probes": 7}
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def data(tmp_path):
    """A data directory with the fleet's keys."""
    fleet.prepare(QUICK, tmp_path)
    return tmp_path


async def test_every_line_has_a_probe_that_measures_and_delivers(data):
    """Each line's runs arrive under its own key and network; on SIGTERM the fleet delivers the rest and ends."""
    ids = fleet.prepare(QUICK, data)
    now_ms = round(time.time() * 1000)
    collector = FakeCollector(OPERATOR)
    with nats_server.running(data / "nats", core_users=[CORE.id], probes=ids) as server:
        async with collector.at(server.url, CORE):
            file = scenario.FOLDER / "quick.toml"
            with country(file, data, now_ms), running_fleet(data, server.url) as process:
                await eventually(lambda: {s.probe for s in collector.seen.values()} == set(ids), 30)
                process.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(process.wait, 15) == 0
    measured = [m for s in collector.seen.values() for m in s.measurements]
    ledger = [row for file in fleet.spools(QUICK, data) for row in read_ledger(file)]
    assert {row.state for row in ledger} == {"stored"}
    assert {row.segment_id for row in ledger} == set(collector.seen)
    vantages = {(m.vantage.role, m.vantage.asn, m.vantage.access, m.vantage.line) for m in measured}
    assert vantages == {
        *(("probe", 64601, "fixed", f"brindlewick-fixed-{n}") for n in (1, 2)),
        *(("probe", 64602, "fixed", f"caskenway-fixed-{n}") for n in (1, 2)),
        *(("probe", 64610, "mobile", f"thessamy-mobile-{n}") for n in (1, 2)),
        ("reference", scenario.ABROAD_ASN, "fixed", "reference-1"),
    }
    assert not any(m.internal for m in measured)
    assert any(all(s.failure is None for s in m.steps) for m in measured)


def test_keys_stay_over_restarts(data):
    """The same ids at every start, one for each line."""
    ids = fleet.prepare(QUICK, data)
    assert len(set(ids)) == 7
    assert fleet.prepare(QUICK, data) == ids


def test_no_interval_is_longer_than_a_cadence(tmp_path):
    """Seal and receipt intervals follow the scenario's cadence, as the inference's bins do."""
    configs = fleet.configs(QUICK, tmp_path, ["nats://127.0.0.1:4222"], OPERATOR.id, tmp_path / "watch")
    assert list(configs) == [name for name, _, _ in line_names(QUICK)]
    for config in configs.values():
        assert max(config.seal_s, config.receipt_timeout_s) <= QUICK.cadence_s


def test_a_watch_that_somebody_else_signed_is_refused(data):
    """The fleet ends with a clear error and contacts nothing."""
    (data / "watch").write_bytes(watch_file.sign(watch_toml(QUICK, 0), Key.create("operator")))
    command = [sys.executable, "-m", "probe", "lab", "fleet", "--scenario", "quick", "--data", str(data)]
    command += ["--nats", "nats://127.0.0.1:1", "--operator", OPERATOR.id, "--watch", str(data / "watch")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert "not by the operator" in ended.stderr
    assert "Traceback" not in ended.stderr

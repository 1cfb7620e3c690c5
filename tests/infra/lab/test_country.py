"""The country as a process: it follows the clock, survives a restart, and can't stall unseen."""

from __future__ import annotations

import asyncio
import errno
import signal
import time

import pytest

from infra.lab import scenario
from infra.lab.country import map_file
from infra.lab.dialer import CurrentMap, LabDialer
from infra.lab.servers.certificates import Certificates
from probe.base.clock import Clock
from probe.measure.run import measure
from probe.protocol.measurement import Vantage
from tests.infra.lab.conftest import country, scenario_text


async def vantage() -> Vantage:
    """Nowhere in particular."""
    return Vantage()


async def run(running, line):
    """One run's steps."""
    return [s for m in await measure(running.watch, running.network(line), vantage) for s in m.steps]


async def test_a_restarted_country_goes_on_by_the_clock(tmp_path):
    """The block that began while it was away is in force; probes find its new ports and trust its certificates."""
    file = tmp_path / "restart.toml"
    file.write_text(scenario_text({"late": 'block = { method = "dns-nxdomain", onset_s = 3600 }'}))
    now_ms = round(time.time() * 1000)
    with country(file, tmp_path / "data", now_ms) as running:
        network = running.network("late-1")
        first = [s for m in await measure(running.watch, network, vantage) for s in m.steps]
    away = [s for m in await measure(running.watch, network, vantage) for s in m.steps]
    with country(file, tmp_path / "data", now_ms - 3_601_000) as running:
        second = [s for m in await measure(running.watch, network, vantage) for s in m.steps]
    assert {s.failure for s in first if s.part != "contrast"} == {None}
    assert all(s.failure for s in away if s.part == "control")
    assert {s.failure for s in second if s.part == "target"} == {None, "dns_nxdomain_error"}
    assert {s.certificate_failure for s in second if s.part == "control"} == {None}


async def test_a_stalled_country_fails_its_controls_as_well(tmp_path):
    """Frozen in mid-life it answers nobody: every run that fails has a control that failed, so nothing is blocked."""
    file = tmp_path / "stalled.toml"
    file.write_text(scenario_text({"one": "", "two": ""}))
    with country(file, tmp_path / "data", round(time.time() * 1000)) as running:
        assert not any(s.failure for s in await run(running, "one-1"))
        running.process.send_signal(signal.SIGSTOP)
        try:
            frozen = await asyncio.gather(*(run(running, f"{p}-1") for p in ("one", "two", "reference")))
        finally:
            running.process.send_signal(signal.SIGCONT)
        thawed = await run(running, "one-1")
    for steps in frozen:
        assert {s.failure for s in steps if s.part == "control"} >= {"generic_timeout_error"}
        assert any(s.failure for s in steps if s.part == "target")
    assert not any(s.failure for s in thawed)
    assert "the loop stalled" in (tmp_path / "data" / "log").read_text()


async def test_a_block_begins_and_ends_on_time(tmp_path):
    """A resolver that is asked all the while lies from the onset to the lift, to within the machine's own delays."""
    file = tmp_path / "timing.toml"
    file.write_text(scenario_text({"p": 'block = { method = "dns-nxdomain", onset_s = 0.4, lift_s = 1.2 }'}))
    zero = time.time() + 0.8
    with country(file, tmp_path / "data", round(zero * 1000)) as running:
        seen = []
        network = running.network("p-1")
        while time.time() < zero + 1.5:
            before = time.time()
            step = await network.resolve("web.papergull.example", limit=0.04, clock=Clock())
            seen.append((before - zero, time.time() - zero, step.rcode))
    blocked = [s for s in seen if s[2] == 3]
    assert blocked
    assert all(end > 0.4 and start < 1.2 + 0.2 for start, end, _ in blocked)
    assert {rcode for start, end, rcode in seen if start > 0.4 + 0.2 and end < 1.2} <= {3, None}


def test_nothing_leads_out_of_the_lab(tmp_path):
    """What isn't on the map is unreachable; without a country the network is down."""
    dialer = LabDialer(CurrentMap(map_file(tmp_path)), "free-1")
    with pytest.raises(OSError, match="country isn't up") as e:
        dialer.tcp("198.51.100.80", 443)
    assert e.value.errno == errno.ENETDOWN
    map_file(tmp_path).parent.mkdir()
    map_file(tmp_path).write_text('{"lines": {"free-1": {"resolver": 5, "ports": {"198.51.100.80:443": 7}}}}')
    assert dialer.tcp("198.51.100.80", 443) == ("127.0.0.1", 7)
    assert dialer.system_resolver() == ("127.0.0.1", 5)
    for address, port in (("8.8.8.8", 53), ("198.51.100.80", 80), ("127.0.0.1", 7)):
        with pytest.raises(OSError, match="not in the lab") as e:
            dialer.tcp(address, port)
        assert e.value.errno == errno.ENETUNREACH
    with pytest.raises(OSError, match="no line other-1"):
        LabDialer(CurrentMap(map_file(tmp_path)), "other-1").system_resolver()


def test_certificates_are_made_once(tmp_path):
    """A second start finds them, private to their owner; a folder left half done is made anew."""
    quick = scenario.load("quick")
    Certificates(tmp_path / "c", quick)
    made = {f.name: f.read_bytes() for f in (tmp_path / "c").iterdir()}
    Certificates(tmp_path / "c", quick)
    assert {f.name: f.read_bytes() for f in (tmp_path / "c").iterdir()} == made
    assert all(f.stat().st_mode & 0o077 == 0 for f in (tmp_path / "c").glob("*.pem") if f.name != "authority.pem")
    (tmp_path / "c" / "authority.pem").unlink()
    Certificates(tmp_path / "c", quick)
    assert (tmp_path / "c" / "authority.pem").read_bytes() != made["authority.pem"]

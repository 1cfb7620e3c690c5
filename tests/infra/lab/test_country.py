"""The country as a process: it follows the clock, also over a restart, and a stall doesn't look like a block."""

from __future__ import annotations

import asyncio
import signal
import time

from probe.base.clock import Clock
from probe.measure.run import measure
from probe.protocol.measurement import Vantage
from tests.infra.lab.conftest import country, scenario_text


async def vantage() -> Vantage:
    """An unknown network."""
    return Vantage()


async def run(running, line):
    """The steps of one run."""
    return [s for m in await measure(running.watch, running.network(line), vantage) for s in m.steps]


async def test_a_restarted_country_continues_by_the_clock(tmp_path):
    """A block that began while it was down is in force; probes use the new ports and trust the same certificates."""
    file = tmp_path / "restart.toml"
    file.write_text(scenario_text({"late": 'block = { method = "dns-nxdomain", onset_s = 3600 }'}))
    now_ms = round(time.time() * 1000)
    with country(file, tmp_path / "data", now_ms) as running:
        network = running.network("late-1")
        first = [s for m in await measure(running.watch, network, vantage) for s in m.steps]
    while_down = [s for m in await measure(running.watch, network, vantage) for s in m.steps]
    with country(file, tmp_path / "data", now_ms - 3_601_000) as running:
        second = [s for m in await measure(running.watch, network, vantage) for s in m.steps]
    assert {s.failure for s in first if s.part != "contrast"} == {None}
    assert all(s.failure for s in while_down if s.part == "control")
    assert {s.failure for s in second if s.part == "target"} == {None, "dns_nxdomain_error"}
    assert {s.certificate_failure for s in second if s.part == "control"} == {None}


async def test_a_stalled_country_fails_its_controls_as_well(tmp_path):
    """A stopped process answers nothing: in every run that fails the control fails too, so none counts as blocked."""
    file = tmp_path / "stalled.toml"
    file.write_text(scenario_text({"one": "", "two": ""}))
    with country(file, tmp_path / "data", round(time.time() * 1000)) as running:
        assert not any(s.failure for s in await run(running, "one-1"))
        running.process.send_signal(signal.SIGSTOP)
        try:
            while_stopped = await asyncio.gather(*(run(running, f"{p}-1") for p in ("one", "two", "reference")))
        finally:
            running.process.send_signal(signal.SIGCONT)
        after = await run(running, "one-1")
    for steps in while_stopped:
        assert {s.failure for s in steps if s.part == "control"} >= {"generic_timeout_error"}
        assert any(s.failure for s in steps if s.part == "target")
    assert not any(s.failure for s in after)
    assert "the event loop stalled" in (tmp_path / "data" / "log").read_text()


async def test_a_block_begins_and_ends_on_time(tmp_path):
    """A resolver that is queried all the time answers falsely from the onset to the lift, give or take 0.2 s."""
    file = tmp_path / "timing.toml"
    file.write_text(scenario_text({"p": 'block = { method = "dns-nxdomain", onset_s = 0.4, lift_s = 1.2 }'}))
    zero = time.time() + 0.8
    with country(file, tmp_path / "data", round(zero * 1000)) as running:
        answers = []
        network = running.network("p-1")
        while time.time() < zero + 1.5:
            before = time.time()
            step = await network.resolve("web.papergull.example", limit=0.04, clock=Clock())
            answers.append((before - zero, time.time() - zero, step.rcode))
    blocked = [s for s in answers if s[2] == 3]
    assert blocked
    assert all(end > 0.4 and start < 1.2 + 0.2 for start, end, _ in blocked)
    assert {rcode for start, end, rcode in answers if start > 0.4 + 0.2 and end < 1.2} <= {3, None}

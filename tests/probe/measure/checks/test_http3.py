"""HTTP/3 with the web host, under its name and a harmless one, and with the control."""

from __future__ import annotations

import asyncio
import sys

import msgspec
import pytest

from probe.home import texts
from probe.measure import registry, run
from probe.measure.bytes_on_wire import of_step, wire_bytes
from probe.measure.checks import http3
from probe.measure.context import Context, NotAllowedError
from probe.measure.plan import RunPlanner, outcome
from probe.net import quic_process
from probe.owner.doctor import questions
from probe.place.vantage import configured
from probe.protocol.measurement import Measurement, Step, Vantage
from tests.support import quic_server
from tests.support.honest_internet import CONTRAST, CONTROL, CONTROL_ADDRESS, HOST, WEB


@pytest.fixture
async def spoken(town, authority):
    """The service speaks QUIC, and the control."""
    async with (
        quic_server.server(authority.write(HOST)) as service,
        quic_server.server(authority.write(CONTROL)) as control,
    ):
        town.dialer.udp_ports |= {(WEB, 443): service, (CONTROL_ADDRESS, 443): control}
        yield town


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    """Handshakes are made in this process; tests/probe/net/test_quic_process.py tests the separate one."""

    async def here(order, _):
        return await quic_process.carry_out(order)

    monkeypatch.setattr(quic_process, "_run_child", here)


def summary(steps):
    """What matters of the steps."""
    return [(s.part, s.op, s.target, s.via, s.failure, s.certificate_failure) for s in steps]


async def test_both_names_and_the_control_are_tested(spoken, context):
    """The contrast goes before the name: a censor that saw the name may cut everything after it."""
    steps = await http3.check(context)
    assert summary(steps) == [
        ("contrast", "quic", HOST, CONTRAST, None, "ssl_invalid_hostname"),
        ("target", "quic", HOST, HOST, None, None),
        ("control", "quic", CONTROL, CONTROL, None, None),
    ]
    assert {s.address for s in steps[:2]} == {f"{WEB}:443"}
    assert steps[0].end_ms <= steps[1].start_ms


async def test_a_cut_name_spares_the_contrast_and_the_control(spoken, context):
    """Together they show that it is the name that is cut."""
    async with quic_server.name_filter(spoken.dialer.udp_ports[WEB, 443], HOST) as port:
        spoken.dialer.udp_ports[WEB, 443] = port
        steps = await http3.check(context)
    assert [s.failure for s in steps] == [None, "generic_timeout_error", None]


async def test_a_control_that_is_known_by_name_alone_is_resolved(spoken, network, clock):
    """Once in a run; what it resolves to may be contacted."""
    watch = msgspec.structs.replace(spoken.watch, control=msgspec.structs.replace(spoken.watch.control, addresses=()))
    context = Context(watch, network, clock)
    steps, resolved = await asyncio.gather(http3.check(context), context.resolve(CONTROL, "control"))
    assert [(s.op, s.address, s.failure) for s in steps if s.part == "control"] == [
        ("quic", f"{CONTROL_ADDRESS}:443", None)
    ]
    assert await context.resolve(CONTROL, "control") is resolved


async def test_a_watch_without_a_contrast_has_none_tested(spoken, network, clock):
    """Only the service and the control are contacted."""
    web = msgspec.structs.replace(spoken.watch.surfaces.web, contrast="")
    surfaces = msgspec.structs.replace(spoken.watch.surfaces, web=web)
    steps = await http3.check(Context(msgspec.structs.replace(spoken.watch, surfaces=surfaces), network, clock))
    assert [s.part for s in steps] == ["target", "control"]


async def test_without_the_extra_nothing_is_tested(spoken, network, monkeypatch):
    """`doctor` reports it in both languages, as a note without anything to fix."""
    assert (questions.http3().mark, questions.http3().says) == ("ok", "http3_ok")
    monkeypatch.setitem(sys.modules, "aioquic.quic.connection", None)
    monkeypatch.setitem(sys.modules, "aioquic", None)
    assert not http3.is_available()
    assert "http3" not in [m.check for m in await run.measure(spoken.watch, network, configured(Vantage()))]
    assert (questions.http3().mark, questions.http3().says, questions.http3().fix) == ("note", "http3_none", "")
    for language in ("en", "vi"):
        assert "blockonset[http3]" in texts.load(language).text("doctor", "http3_none")


async def test_what_the_watch_does_not_list_is_never_contacted(context, dialer):
    """Only a bug in a check could ask for it."""
    with pytest.raises(NotAllowedError):
        await context.quic([context.handshake(HOST, "203.0.113.99", HOST)])
    assert dialer.dialed == []


async def test_only_sweeps_test_it(spoken, network):
    """It takes as many bytes as a whole light run."""

    async def here():
        return Vantage(asn=64500)

    planner = RunPlanner(3600.0)
    sweep = await run.measure(spoken.watch, network, here, planner=planner)
    light = await run.measure(spoken.watch, network, here, planner=planner)
    assert ["http3" in [m.check for m in r] for r in (sweep, light)] == [True, False]
    assert [c.sweeps_only for c in registry.checks() if c.name == "http3"] == [True]


async def test_a_network_that_drops_quic_is_no_reason_for_a_sweep(town, network):
    """And the control's failure over QUIC does not mean that the line is offline."""

    async def here():
        return Vantage(asn=64500)

    with quic_server.refusing() as port:
        town.dialer.udp_ports |= {(WEB, 443): port, (CONTROL_ADDRESS, 443): port}
        made = await run.measure(town.watch, network, here)
    (m,) = [m for m in made if m.check == "http3"]
    assert {s.failure for s in m.steps if s.op == "quic"} == {"connection_refused"}
    assert outcome([m]) == outcome([msgspec.structs.replace(m, steps=())])
    planner = RunPlanner(3600.0, swept=True)
    planner.learn([m, *made])
    assert planner._last_outcome is not None


async def test_the_controls_quic_steps_are_counted_in_a_runs_bytes(spoken, context):
    """They are in this measurement alone, together with the control's steps that all measurements repeat."""
    steps = await http3.check(context)
    repeated = Step(part="control", op="connect", target=CONTROL, start_ms=0.0, end_ms=1.0)
    used = wire_bytes([measurement((repeated,)), measurement((*steps, repeated))])
    assert used == sum(of_step(s) for s in (*steps, repeated))


def measurement(steps):
    """A measurement with these steps."""
    return Measurement(
        watch="w", watch_digest="0" * 64, run_id="0" * 32, surface="web", check="http3", target=HOST,
        at_ms=1_800_000_000_000, duration_ms=1.0, steps=steps, vantage=Vantage(),
    )  # fmt: skip

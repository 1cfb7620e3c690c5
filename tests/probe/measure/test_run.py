"""One run: what its measurements have in common, and how our own bugs are recorded."""

from __future__ import annotations

import asyncio
import re
import time

import msgspec
import pytest

from probe.base.clock import Clock
from probe.base.errors import UserError
from probe.measure import checks, control, registry, run
from probe.measure.bytes_on_wire import of_step, stream, wire_bytes
from probe.measure.context import Context
from probe.measure.loop_lag import LoopLag
from probe.measure.plan import RunPlan, RunPlanner
from probe.measure.run import measure
from probe.place import own_names
from probe.place.vantage import configured
from probe.protocol.measurement import Vantage
from tests.support import servers
from tests.support.honest_internet import CONTROL, CONTROL_ADDRESS, ENDPOINTS, HOST, SECOND, WEB

CONTROL6 = "2001:db8:c::10"
HERE = Vantage(asn=64500, asn_how="configured", access="fixed", access_how="configured")


def parts(measurement, part):
    """The steps of one part."""
    return [s for s in measurement.steps if s.part == part]


async def test_every_check_makes_one_measurement_of_one_run(town, network):
    """With one id, time and vantage, and the control's steps in each."""
    found = await measure(town.watch, network, configured(HERE), now_ms=lambda: 1_750_000_000_123)
    assert [(m.check, m.surface, m.target) for m in found] == [
        ("dns", "web", HOST),
        ("http", "web", HOST),
        ("tcp", "web", HOST),
        ("telegram", "app", "telegram"),
        ("tls", "web", HOST),
    ]
    assert len({m.run_id for m in found}) == 1
    assert re.fullmatch(r"[0-9a-f]{32}", found[0].run_id)
    for m in found:
        assert (m.watch, m.watch_digest, m.at_ms, m.vantage) == (
            "service-xx",
            town.watch.digest,
            1_750_000_000_123,
            HERE,
        )
        assert (m.timeout_ms, m.internal) == (1000, "")
        assert re.fullmatch(r"blockonset/\S+ \(\w+\)", m.software)
        assert [(s.op, s.target, s.failure, s.certificate_failure) for s in parts(m, "control")] == [
            ("resolve", CONTROL, None, None),
            ("connect", CONTROL, None, None),
            ("handshake", CONTROL, None, None),
        ]
        assert parts(m, "target")
        assert all(s.failure is None for s in m.steps)
        assert m.duration_ms == max(s.end_ms for s in m.steps)


async def test_two_runs_have_two_ids(town, network):
    """128 random bits each."""
    runs = [await measure(town.watch, network, configured(HERE), checks=["dns"]) for _ in range(2)]
    assert runs[0][0].run_id != runs[1][0].run_id


async def test_one_check_alone_contacts_only_its_own_targets(town, network):
    """And the control."""
    (m,) = await measure(town.watch, network, configured(HERE), checks=["telegram"])
    assert m.check == "telegram"
    assert set(town.dialer.dialed) == {*((a, 443) for a in ENDPOINTS), (CONTROL_ADDRESS, 443)}


async def test_only_what_the_watch_lists_or_a_resolver_answered_is_contacted(town, network):
    """On the listed ports and no others."""
    await measure(town.watch, network, configured(HERE))
    listed = {(WEB, 80), (WEB, 443), (SECOND, 53), (CONTROL_ADDRESS, 443), *((a, 443) for a in ENDPOINTS)}
    assert set(town.dialer.dialed) == listed


async def test_a_control_without_addresses_is_tested_where_it_resolves(town, network):
    """Then its name must resolve."""
    control = msgspec.structs.replace(town.watch.control, addresses=())
    watch = msgspec.structs.replace(town.watch, control=control)
    (m,) = await measure(watch, network, configured(HERE), checks=["telegram"])
    assert [s.failure for s in parts(m, "control")] == [None, None, None]
    town.names[CONTROL] = ()
    (m,) = await measure(watch, network, configured(HERE), checks=["telegram"])
    assert [(s.op, s.failure) for s in parts(m, "control")] == [("resolve", "dns_no_answer")]


async def test_a_surface_that_is_not_in_the_watch_is_not_measured(town, network):
    """Without the web surface no check of it is made."""
    surfaces = msgspec.structs.replace(town.watch.surfaces, web=None)
    watch = msgspec.structs.replace(town.watch, surfaces=surfaces)
    assert [m.check for m in await measure(watch, network, configured(HERE))] == ["telegram"]
    with pytest.raises(UserError, match="check 'dns': the watch 'service-xx' has telegram"):
        await measure(watch, network, configured(HERE), checks=["dns"])


async def test_a_run_ends_when_nothing_answers(town, network):
    """After two and a half timeouts."""
    town.system = lambda query: []
    for address, port in list(town.dialer.ports):
        await town.put(address, port, servers.silent)
    watch = msgspec.structs.replace(town.watch, timeout_s=0.4)
    start = time.monotonic()
    found = await measure(watch, network, configured(HERE))
    assert time.monotonic() - start < 2.5 * watch.timeout_s + 0.5
    assert {s.failure for m in found for s in m.steps if s.op in ("resolve", "handshake", "request", "exchange")} == {
        "generic_timeout_error"
    }


@pytest.fixture
def broken_check(tmp_path, monkeypatch):
    """A check with a bug, in addition to the shipped ones."""
    (tmp_path / "broken.py").write_text(
        "NAME = 'broken'\nSURFACE = 'web'\ndef expected_bytes(watch, sweep): return 0\n"
        "async def check(context):\n    await context.connect('x', '203.0.113.250', 25)\n"
    )
    monkeypatch.setattr(checks, "__path__", [*checks.__path__, str(tmp_path)])
    registry.checks.cache_clear()
    yield
    registry.checks.cache_clear()


@pytest.mark.usefixtures("broken_check")
async def test_a_bug_in_a_check_spoils_its_own_measurement_alone(town, network):
    """The error is recorded as class and place in our code; here it comes from the guard against unlisted addresses."""
    found = {m.check: m for m in await measure(town.watch, network, configured(HERE))}
    assert re.fullmatch(r"NotAllowedError at probe\.measure\.context:\d+", found["broken"].internal)
    assert parts(found["broken"], "target") == []
    assert len(parts(found["broken"], "control")) == 3
    assert {m.internal for name, m in found.items() if name != "broken"} == {""}
    assert ("203.0.113.250", 25) not in town.dialer.dialed


async def test_a_bug_in_the_control_spoils_the_run(town, network, monkeypatch):
    """Without the control no measurement is evidence."""

    async def breaks(_context):
        raise KeyError("/home/volunteer")

    monkeypatch.setattr(run.control, "steps", breaks)
    found = await measure(town.watch, network, configured(HERE))
    assert {m.internal for m in found} == {"KeyError at probe.measure.run:" + found[0].internal.rpartition(":")[2]}
    assert "volunteer" not in str(found)


async def test_a_network_that_changed_during_the_run_is_marked(town, network):
    """The vantage is asked for before and after."""
    answers = iter([HERE, msgspec.structs.replace(HERE, asn=64501)])

    async def moves():
        return next(answers)

    (m,) = await measure(town.watch, network, moves, checks=["dns"])
    assert m.vantage.changed


async def test_a_stalled_loop_is_measured(town, network):
    """As the delay of a wake-up."""

    async def stalls():
        await asyncio.sleep(0.02)
        time.sleep(0.15)  # noqa: ASYNC251 - this is the stall

    stalling = asyncio.create_task(stalls())
    (m,) = await measure(town.watch, network, configured(HERE), checks=["tcp"])
    await stalling
    assert 120 <= m.loop_lag_ms < 2000


async def test_a_free_loop_is_hardly_late():
    """The measurement adds no lag of its own."""
    with LoopLag(1.0) as lag:
        await asyncio.sleep(0.1)
    assert 0 <= lag.worst_ms < 250


async def test_what_would_identify_the_line_never_leaves_a_run(town, network, monkeypatch):
    """Here the resolver's answer is the line's own address: that measurement is emptied, the others are kept."""
    monkeypatch.setattr(own_names, "own_address", lambda family: "203.0.113.77" if family.name == "AF_INET" else "")
    town.names[HOST] = ("203.0.113.77",)
    found = {m.check: m for m in await measure(town.watch, network, configured(HERE))}
    assert found["dns"].steps == ()
    assert found["dns"].internal == "identifying text in steps[0].answers"
    assert found["telegram"].internal == ""
    assert "203.0.113.77" not in msgspec.json.encode(tuple(found.values())).decode()


async def test_a_cancelled_run_leaves_nothing_under_way(town, network):
    """All of its tasks end with it."""
    before = asyncio.all_tasks()
    town.system = lambda query: []
    task = asyncio.create_task(measure(town.watch, network, configured(HERE)))
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    await asyncio.sleep(0.05)
    ours = [t for t in asyncio.all_tasks() - before if "probe" in str(t.get_coro())]
    assert ours == []


async def test_planned_runs_begin_with_a_sweep_and_are_light_then(town, network):
    """A light run is marked, leaves out what only sweeps test, and tries each datacentre once."""
    web = msgspec.structs.replace(town.watch.surfaces.web, sockets=(CONTROL,))
    watch = msgspec.structs.replace(town.watch, surfaces=msgspec.structs.replace(town.watch.surfaces, web=web))
    planner = RunPlanner(3600.0)
    first, second = [await measure(watch, network, configured(HERE), planner=planner) for _ in range(2)]
    assert {m.sweep for m in first} == {True}
    assert {m.sweep for m in second} == {False}
    assert {m.check for m in first} - {m.check for m in second} == {"sockets", "tcp"}
    of = [sum(s.op == "exchange" for m in run_ for s in m.steps) for run_ in (first, second)]
    assert of == [6, 3]


async def test_a_light_run_is_light(town, network):
    """At most 15 KB with five datacentres and a public certificate chain, which has 4 KB more than the tests' chain."""
    planner = RunPlanner(3600.0)
    await measure(town.watch, network, configured(HERE), planner=planner)
    light = await measure(town.watch, network, configured(HERE), planner=planner)
    steps = [*light[0].steps, *(s for m in light[1:] for s in parts(m, "target"))]
    one = [of_step(s) for s in steps if s.target == "dc1"]
    assert [s.part for s in steps if s.op == "handshake"] == ["target"]
    assert wire_bytes(light) + 2 * sum(one) + stream(4000) <= 15_000


async def test_light_runs_resume_the_session_with_the_control(town, network, authority, stranger):
    """Then no certificates are sent. Another server has to send one, and it is verified."""
    plans = [RunPlan(sweep=True, turn=0), *(RunPlan(sweep=False, turn=n) for n in range(2))]

    async def shake(plan):
        context = Context(town.watch, network, Clock(), plan)
        context._suspicious[4].set()
        return (await control.steps(context))[-1]

    first, *light = [await shake(plan) for plan in plans]
    assert {(s.failure, s.certificate_failure, s.certificate) for s in (first, *light)} == {
        (None, None, first.certificate)
    }
    assert all(s.received < first.received / 2 for s in light)
    assert (await shake(plans[0])).received == pytest.approx(first.received, abs=20)
    await town.put(CONTROL_ADDRESS, 443, servers.keeps_open, stranger.issue(CONTROL))
    assert (await shake(plans[1])).certificate_failure == "ssl_unknown_authority"
    assert (CONTROL, f"{CONTROL_ADDRESS}:443") not in network.sessions


async def test_the_control_is_tested_over_both_families_where_there_are_both(town, network, authority):
    """A light run in which nothing fails only connects."""
    town.dialer.ipv6 = True
    town.names[CONTROL] = (CONTROL_ADDRESS, CONTROL6)
    await town.put(CONTROL6, 443, servers.keeps_open, authority.issue(CONTROL))

    async def seen(*, sweep, ipv4=True, trouble=()):
        context = Context(town.watch, network, Clock(), RunPlan(sweep=sweep, turn=0))
        context.ipv4 = ipv4
        for family in trouble:
            context._suspicious[family].set()
        context.mark_checks_done()
        return [(s.op, "6" if s.via == "system6" or "[" in s.address else "4") for s in await control.steps(context)]

    four = [("resolve", "4"), ("connect", "4"), ("handshake", "4")]
    six = [("resolve", "6"), ("connect", "6"), ("handshake", "6")]
    assert await seen(sweep=True) == [*four, *six]
    assert await seen(sweep=False) == [*four[:2], *six[:2]]
    assert await seen(sweep=False, trouble=[4]) == [*four, *six[:2]]
    assert await seen(sweep=False, trouble=[6]) == [*four[:2], *six]
    assert await seen(sweep=False, ipv4=False, trouble=[6]) == [four[0], *six]


async def test_a_light_run_asks_the_control_for_certificates_when_something_is_wrong(town, network):
    """Not where all of the service works; at once where it fails, shows a block page or does not answer."""

    async def shaken():
        planner = RunPlanner(3600.0, turn=0)
        planner._next_sweep = float("inf")
        made = await measure(town.watch, network, configured(HERE), planner=planner)
        assert not any(m.sweep for m in made)
        (steps,) = {m.steps[-len(parts(m, "control")) :] for m in made}
        return [(s.op, s.failure, s.certificate_failure) for s in steps]

    met = [("resolve", None, None), ("connect", None, None)]
    assert await shaken() == met
    page = b"<h1>This site has been blocked by order of the Signals Office of Ostramere</h1>"
    await town.put(WEB, 80, servers.says(b"HTTP/1.1 451 No\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page)))
    assert await shaken() == [*met, ("handshake", None, None)]
    await town.build()
    await town.put(WEB, 443, servers.resets_after_reading)
    assert await shaken() == [*met, ("handshake", None, None)]
    await town.build()
    await town.put(ENDPOINTS[0], 443, servers.silent)
    start = time.monotonic()
    assert await shaken() == [*met, ("handshake", None, None)]
    assert time.monotonic() - start < 2 * town.watch.timeout_s
    await town.put(CONTROL_ADDRESS, 443, servers.resets_after_reading)
    assert await shaken() == [*met, ("handshake", "connection_reset", None)]

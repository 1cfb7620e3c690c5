"""Every datacentre endpoint is tested by itself."""

from __future__ import annotations

import msgspec

from probe.measure.checks import telegram
from probe.measure.plan import RunPlan
from probe.protocol.watch import Endpoint
from tests.support import servers
from tests.support.honest_internet import ENDPOINTS


def exchanges(steps):
    """How each endpoint's exchange ended."""
    return {s.target: s.failure for s in steps if s.op == "exchange"}


def by_transport(steps):
    """How the exchanges over each transport ended."""
    return {via: {s.failure for s in steps if s.via == via} for via in ("intermediate", "obfuscated")}


async def test_every_endpoint_answers(context):
    """Over IPv6 too; the address is recorded with its port."""
    steps = await telegram.check(context)
    assert exchanges(steps) == {"dc1": None, "dc2": None, "dc3": None}
    assert {s.address for s in steps if s.target == "dc3"} == {f"[{ENDPOINTS[2]}]:443"}


async def test_a_partial_block_shows_by_endpoint(context, town):
    """One does not answer after the TCP connection, one is reset."""
    await town.put(ENDPOINTS[0], 443, servers.silent)
    await town.put(ENDPOINTS[1], 443, servers.resets_after_reading)
    steps = await telegram.check(context)
    assert exchanges(steps) == {"dc1": "generic_timeout_error", "dc2": "connection_reset", "dc3": None}
    assert {s.failure for s in steps if s.op in ("connect", "hold")} == {None}


async def test_no_name_is_resolved(context, town):
    """The app reaches its datacentres by address, and so does the check."""
    asked = []
    town.system = lambda query: asked.append(query) or []
    assert len(exchanges(await telegram.check(context))) == 3
    assert asked == []


async def test_a_sweep_tests_both_transports(context):
    """Each on a connection of its own, which is held in silence first."""
    steps = await telegram.check(context)
    assert by_transport(steps) == {"intermediate": {None}, "obfuscated": {None}}
    assert [s.op for s in steps if s.target == "dc1"] == ["connect", "hold", "exchange"] * 2


async def test_a_light_run_makes_one_exchange_with_each_datacentre(context):
    """Its transport changes with the turn."""
    first, second = [], []
    for turn, seen in ((0, first), (1, second)):
        context.plan = RunPlan(sweep=False, turn=turn)
        seen += [(s.target, s.via) for s in await telegram.check(context) if s.op == "exchange"]
    assert [target for target, _ in first] == ["dc1", "dc2", "dc3"]
    assert all(a != b for a, b in zip(first, second, strict=True))


async def test_after_one_failure_over_ipv6_a_light_run_tests_all_of_ipv6(context, town):
    """If the control was reached over IPv6; otherwise the line's own IPv6 does not work."""
    app = context.watch.surfaces.app
    dual = tuple(
        Endpoint(id=f"dc{n}", address=ENDPOINTS[0], address6=f"2001:db8:e::{n}", ports=(443,)) for n in range(5)
    )
    surfaces = msgspec.structs.replace(context.watch.surfaces, app=msgspec.structs.replace(app, endpoints=dual))
    context.watch = msgspec.structs.replace(context.watch, surfaces=surfaces)
    town.dialer.ipv6 = True
    context.plan = RunPlan(sweep=False, turn=7)

    async def six():
        steps = await telegram.check(context)
        assert len([s for s in steps if s.op == "exchange" and s.failure is None]) == 5
        return [(s.target, s.failure is None) for s in steps if s.op == "connect" and s.address.startswith("[")]

    assert await six() == [("dc2", False)]
    context.control_reached6 = True
    assert await six() == [("dc2", False), ("dc0", False), ("dc1", False), ("dc3", False), ("dc4", False)]


async def test_a_cut_transport_shows_beside_one_that_works(context, town):
    """A censor that inspects the first bytes."""
    for address in ENDPOINTS:
        await town.put(address, 443, servers.cuts_plain)
    steps = await telegram.check(context)
    assert by_transport(steps) == {"intermediate": {"generic_timeout_error"}, "obfuscated": {None}}


async def test_a_reset_before_the_first_byte_is_distinguished_from_one_after_it(context, town):
    """The former shows while the connection is held."""
    await town.put(ENDPOINTS[0], 443, servers.resets_at_once)
    await town.put(ENDPOINTS[1], 443, servers.resets_after_reading)
    failed = {(s.target, s.op) for s in await telegram.check(context) if s.failure == "connection_reset"}
    assert failed in ({("dc1", "hold"), ("dc2", "exchange")}, {("dc1", "connect"), ("dc2", "exchange")})

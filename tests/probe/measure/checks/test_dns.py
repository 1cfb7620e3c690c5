"""The name by two resolvers."""

from __future__ import annotations

from probe.measure.checks import dns
from probe.measure.context import Context
from probe.measure.plan import RunPlan
from tests.support.honest_internet import FORGED, HOST, WEB


async def test_both_resolvers_are_reported(context):
    """The system's first; here they agree."""
    system, second = await dns.check(context)
    assert (system.via, system.target, system.answers) == ("system", HOST, (WEB,))
    assert (second.via, second.target, second.answers) == ("second", HOST, (WEB,))


async def test_a_forged_answer_is_reported_beside_the_true_one(context, town):
    """No conclusion is drawn."""
    town.forge(FORGED)
    system, second = await dns.check(context)
    assert (system.failure, system.answers, second.answers) == (None, (FORGED,), (WEB,))


async def test_the_resolution_is_made_once_for_the_run(context):
    """Asking again gives the same steps."""
    assert await dns.check(context) == await dns.check(context)


async def test_a_line_with_ipv6_asks_for_ipv6_addresses_too(town, network, clock, dialer):
    """Both resolvers in a sweep, the system's alone in a light run; a name without any is recorded as such."""
    dialer.ipv6 = True
    context = Context(town.watch, network, clock)
    assert [(s.via, s.answers, s.failure) for s in await dns.check(context)] == [
        ("system", (WEB,), None),
        ("second", (WEB,), None),
        ("system6", (), "dns_no_answer"),
        ("second6", (), "dns_no_answer"),
    ]
    town.names[HOST] = (WEB, "2001:db8:f::80")
    context = Context(town.watch, network, clock)
    assert [s.answers for s in (await dns.check(context))[2:]] == [("2001:db8:f::80",)] * 2
    assert await context.web_addresses() == (WEB, "2001:db8:f::80")
    assert not await context.web_address6()
    context.plan = RunPlan(sweep=False, turn=0)
    assert await context.web_addresses() == (WEB,)
    assert await context.web_address6() == "2001:db8:f::80"
    light = Context(town.watch, network, clock, RunPlan(sweep=False, turn=0))
    assert [s.via for s in await dns.check(light)] == ["system", "second", "system6"]
    context.ipv4 = False
    assert await context.web_addresses() == ("2001:db8:f::80",)

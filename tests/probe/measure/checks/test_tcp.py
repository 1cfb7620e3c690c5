"""Connections to the web host's addresses."""

from __future__ import annotations

import pytest

from probe.measure.checks import tcp
from tests.support import servers
from tests.support.honest_internet import FORGED, SECOND, WEB


def seen(steps):
    """What matters of the steps."""
    return [(s.op, s.address.rpartition(":")[0], s.failure) for s in steps]


async def test_an_open_address_is_connected_and_held(context):
    """Both resolvers gave the same address: it is tested once."""
    assert seen(await tcp.check(context)) == [("connect", WEB, None), ("hold", WEB, None)]


async def test_an_unprovoked_reset_shows_while_holding(context, town):
    """Before a byte was sent."""
    await town.put(WEB, 443, servers.resets_at_once)
    steps = await tcp.check(context)
    assert seen(steps)[-1] == ("hold", WEB, "connection_reset")
    assert sum(s.sent for s in steps) == 0


async def test_where_the_resolvers_differ_both_addresses_are_tested(context, town):
    """The system resolver's first."""
    town.forge(FORGED)
    await town.put(FORGED, 443, servers.silent)
    assert [a for _, a, _ in seen(await tcp.check(context))] == [FORGED, FORGED, WEB, WEB]


@pytest.mark.parametrize("lie", [{"rcode": 3}, {"addresses": ["10.10.34.34"]}])
async def test_without_a_usable_answer_only_the_second_resolvers_address_is_tested(context, town, lie):
    """A private address is recorded by the dns check and never contacted."""
    town.forge(*lie.get("addresses", []), rcode=lie.get("rcode", 0))
    assert seen(await tcp.check(context)) == [("connect", WEB, None), ("hold", WEB, None)]
    assert all(address != "10.10.34.34" for address, _ in town.dialer.dialed)


async def test_when_neither_resolver_answers_the_watchs_address_is_tested(context, town):
    """The watch lists one."""
    town.forge(rcode=2)
    await town.put(SECOND, 53, servers.resets_after_reading)
    assert seen(await tcp.check(context)) == [("connect", WEB, None), ("hold", WEB, None)]

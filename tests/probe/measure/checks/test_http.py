"""Plain HTTP at the web host's addresses."""

from __future__ import annotations

from probe.measure.checks import http
from tests.support import servers
from tests.support.honest_internet import FORGED, HOST, WEB


async def test_the_service_sends_its_visitors_to_https(context):
    """Connect, then one request with the service's name."""
    connect, request = await http.check(context)
    assert (connect.op, connect.address, connect.failure) == ("connect", f"{WEB}:80", None)
    assert (request.target, request.via, request.status, request.location) == (HOST, "GET /", 301, f"https://{HOST}")


async def test_a_block_page_in_place_of_the_service_is_named(context, town):
    """By its fingerprint."""
    page = b"HTTP/1.1 451 No\r\n\r\n<title>No</title>blocked by order of the Signals Office of Ostramere"
    await town.put(WEB, 80, servers.says(page))
    steps = await http.check(context)
    assert (steps[-1].status, steps[-1].fingerprint, steps[-1].failure) == (451, "blockonset.lab_order", None)


async def test_both_addresses_are_asked_where_the_resolvers_differ(context, town):
    """The forged one refuses."""
    town.forge(FORGED)
    with servers.refusing() as town.dialer.ports[FORGED, 80]:
        steps = await http.check(context)
    assert [(s.op, s.failure) for s in steps] == [
        ("connect", "connection_refused"),
        ("connect", None),
        ("request", None),
    ]

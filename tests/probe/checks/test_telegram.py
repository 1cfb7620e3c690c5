"""Every datacentre endpoint for itself."""

from __future__ import annotations

from probe.checks import telegram
from tests.support import servers
from tests.support.town import ENDPOINTS


def exchanges(steps):
    """How each endpoint's exchange ended."""
    return {s.target: s.failure for s in steps if s.op == "exchange"}


async def test_every_endpoint_answers(context):
    """IPv6 too; the address is written with its port."""
    steps = await telegram.check(context)
    assert exchanges(steps) == {"dc1": None, "dc2": None, "dc3": None}
    assert {s.address for s in steps if s.target == "dc3"} == {f"[{ENDPOINTS[2]}]:443"}


async def test_a_partial_block_shows_by_endpoint(context, town):
    """One is silent after TCP connects, one is reset."""
    await town.put(ENDPOINTS[0], 443, servers.silent)
    await town.put(ENDPOINTS[1], 443, servers.resets_after_reading)
    steps = await telegram.check(context)
    assert exchanges(steps) == {"dc1": "generic_timeout_error", "dc2": "connection_reset", "dc3": None}
    assert [s.failure for s in steps if s.op == "connect"] == [None, None, None]


async def test_no_name_is_resolved(context, town):
    """The app reaches its datacentres by address, and so do we."""
    asked = []
    town.system = lambda query: asked.append(query) or []
    assert len(exchanges(await telegram.check(context))) == 3
    assert asked == []

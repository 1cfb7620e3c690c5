"""The service's download speed beside the control's."""

from __future__ import annotations

import msgspec

from probe.measure.checks import transfer
from probe.measure.context import Context
from tests.support import servers
from tests.support.honest_internet import CONTROL, CONTROL_ADDRESS, HOST, WEB


def with_paths(watch):
    """The watch, with something to download from both."""
    web = msgspec.structs.replace(watch.surfaces.web, transfer="/big")
    control = msgspec.structs.replace(watch.control, transfer="/big")
    return msgspec.structs.replace(watch, surfaces=msgspec.structs.replace(watch.surfaces, web=web), control=control)


async def test_both_are_downloaded_from_in_the_same_minute(town, network, clock, authority):
    """The control first; each on a connection of its own."""
    await town.put(CONTROL_ADDRESS, 443, servers.site(bytes(100_000)), authority.issue(CONTROL))
    await town.put(WEB, 443, servers.site(bytes(8_000), pieces=80, pause=0.01), authority.issue(HOST))
    steps = await transfer.check(Context(with_paths(town.watch), network, clock))
    assert [(s.part, s.op, s.failure) for s in steps] == [
        *(("control", op, None) for op in ("connect", "handshake", "transfer")),
        *(("target", op, None) for op in ("connect", "handshake", "transfer")),
    ]
    beside, there = (s for s in steps if s.op == "transfer")
    assert beside.received > there.received > 1000
    assert beside.end_ms <= there.start_ms


async def test_without_a_path_for_both_nothing_is_measured(context):
    """There is nothing to compare."""
    assert await transfer.check(context) == []

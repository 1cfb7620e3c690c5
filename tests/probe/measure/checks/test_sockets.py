"""The hosts of the site's web sockets."""

from __future__ import annotations

import msgspec

from probe.measure.checks import sockets
from probe.measure.context import Context
from tests.support import servers

SOCKETS = {"one.socket.example": "198.51.100.91", "two.socket.example": "198.51.100.92"}


async def test_each_host_is_resolved_and_asked(town, network, clock, authority):
    """One opens a web socket, one is reset; nothing but what they resolved to is contacted."""
    asked = []
    for host, address in SOCKETS.items():
        town.names[host] = (address,)
    (one, two), (here, there) = SOCKETS, SOCKETS.values()
    await town.put(here, 443, servers.opens_web_socket(asked), authority.issue(one))
    await town.put(there, 443, servers.resets_after_reading)
    web = msgspec.structs.replace(town.watch.surfaces.web, sockets=(one, two, "three.socket.example"))
    watch = msgspec.structs.replace(town.watch, surfaces=msgspec.structs.replace(town.watch.surfaces, web=web))
    town.names["three.socket.example"] = ()
    steps = await sockets.check(Context(watch, network, clock))
    assert [(s.target, s.op, s.failure) for s in steps] == [
        *((one, op, None) for op in ("resolve", "connect", "handshake", "request")),
        *((two, op, None) for op in ("resolve", "connect")),
        (two, "handshake", "connection_reset"),
        ("three.socket.example", "resolve", "dns_no_answer"),
    ]
    assert next(s.status for s in steps if s.op == "request") == 101
    head = asked[0].decode().split("\r\n")
    assert head[0] == "GET /apiws HTTP/1.1"
    assert {"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Protocol: binary"} < {*head}
    assert "Connection: close" not in head
    assert set(town.dialer.dialed) == {(here, 443), (there, 443)}


async def test_a_watch_without_any_has_none_tested(context):
    """There are no steps."""
    assert await sockets.check(context) == []

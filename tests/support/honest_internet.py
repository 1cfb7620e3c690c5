"""A small uncensored internet on loopback, for one test: a service with web and app, a control, two resolvers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from probe.protocol import watch_file
from tests.support import servers
from tests.support.servers import answer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from infra.lab.servers.authority import Authority
    from tests.support.servers import Answer, Handler, MappedDialer

HOST, CONTRAST, CONTROL = "service.example", "harmless.example", "control.example"
WEB, FORGED, CONTROL_ADDRESS, SECOND = "198.51.100.80", "203.0.113.66", "192.0.2.10", "203.0.113.53"
ENDPOINTS = ("198.51.100.1", "198.51.100.2", "2001:db8:f::3")

WATCH = f"""
id = "service-xx"
title = "A service in a test"
service = "telegram"
country = "XX"
timezone = "UTC"
expires = "2999-01-01"
cadence_s = 2.0
timeout_s = 1.0

[directive]
authority = "nobody"
summary = "none"

[surfaces.web]
host = "{HOST}"
addresses = ["{WEB}"]
contrast = "{CONTRAST}"

[surfaces.app]
endpoints = [{", ".join(f'{{ id = "dc{i}", address = "{a}", ports = [443] }}' for i, a in enumerate(ENDPOINTS, 1))}]

[control]
host = "{CONTROL}"
addresses = ["{CONTROL_ADDRESS}"]

[second_resolver]
address = "{SECOND}"

[[providers]]
id = "p-fixed"
name = "P"
access = "fixed"
networks = [{{ asn = 64500 }}]
"""


class HonestInternet:
    """The servers behind a test's dialer. `put` replaces one; `system` returns the system resolver's replies."""

    def __init__(self, dialer: MappedDialer, authority: Authority, stack: contextlib.AsyncExitStack) -> None:
        self.watch = watch_file.read(WATCH.encode(), "test")
        self.dialer = dialer
        self.names = {HOST: (WEB,), CONTROL: (CONTROL_ADDRESS,)}
        self.system: Callable[[bytes], list[Answer]] = self.honest
        self._authority = authority
        self._stack = stack

    async def put(self, address: str, port: int, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        """Start a server for an address, in place of any that is there."""
        self.dialer.ports[address, port] = await self._stack.enter_async_context(servers.tcp(handler, tls))

    async def build(self) -> HonestInternet:
        """Start all servers."""
        self.dialer.resolver = await self._stack.enter_async_context(servers.dns_udp(self._replies))
        await self.put(SECOND, 53, servers.dns_tcp(lambda q: answer(q, *self.names[self.asked(q)])))
        await self.put(WEB, 443, servers.site(), self._authority.issue(HOST))
        await self.put(WEB, 80, servers.says(b"HTTP/1.1 301 Moved\r\nLocation: https://service.example/\r\n\r\n"))
        await self.put(CONTROL_ADDRESS, 443, servers.keeps_open, self._authority.issue(CONTROL))
        for address in ENDPOINTS:
            await self.put(address, 443, servers.telegram)
        return self

    def asked(self, query: bytes) -> str:
        """The name that a query is for."""
        return next(n for n in self.names if n.partition(".")[0].encode() in query)

    def honest(self, query: bytes) -> list[Answer]:
        """The true reply."""
        return [(0.0, answer(query, *self.names[self.asked(query)]))]

    def _replies(self, query: bytes) -> list[Answer]:
        return self.system(query)

    def forge(self, *addresses: str, rcode: int = 0) -> None:
        """Let the system's resolver give forged answers about the service."""

        def forged(query: bytes) -> list[Answer]:
            if self.asked(query) == HOST:
                return [(0.0, answer(query, *addresses, rcode=rcode))]
            return self.honest(query)

        self.system = forged

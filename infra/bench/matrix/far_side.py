"""The far side of the test bed: the service, the control and two resolvers, at their own addresses in a namespace.

`python -m infra.bench.matrix.far_side --data DIR` listens and prints a JSON line. Then it reads lines of JSON (a
FarSideMode each) from stdin and answers each with an empty object once it is in force. It ends with stdin.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import json
import random
import socket
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from infra.bench.matrix.addresses import APP, BLOCK_SERVER, CANARY, RESOLVERS, SITE, SITE_HOST, WATCH, zone
from infra.lab.interference import PASS, methods
from infra.lab.servers.authority import AUTHORITY, Authority
from infra.lab.servers.certificates import server_context
from infra.lab.servers.listener import RESET_ON_CLOSE
from infra.lab.servers.pages import block_page, front_page, redirect_to_https
from infra.lab.servers.resolver import DnsOverTcp, Zone
from infra.lab.servers.responders import Http, Mtproto, NameFilter, Resets, Responder, Silent, Tls

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.lab.servers.responders import Reply

_FROM_FIVE_DAYS_ON = (5, 3650)
"""The validity, in days from now, of certificates that a slow clock sees."""


class FarSideMode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the far side does during the next runs."""

    method: str = ""
    """A table of infra/lab/methods.toml; "" for none."""
    everything: bool = False
    """Whether the method's DNS interference applies to all names."""
    slow_ms: float = 5.0
    """Delay of the line's resolvers, milliseconds."""
    spread: float = 0.0
    """Relative spread of the delay: with 1.0 it is between 0 and twice `slow_ms`."""
    loses: float = 0.0
    """Share of queries that the line's resolvers never answer."""
    filters: bool = False
    """Whether the line's resolver denies the canary, as a resolver does that filters for its users."""
    down: bool = False
    """Whether the service itself resets every connection; the control works."""
    certificate: str = "site"
    """`site`, or `early`: the site's own, valid only from five days on, as a slow clock sees it."""
    control_certificate: str = "control"
    """`control`, or `early-control`."""


class FarSide:
    """All listening sockets, and the mode in force."""

    def __init__(self, data: Path) -> None:
        self.mode = FarSideMode()
        self.interference = PASS
        self.zone, self.empty_zone = zone(), Zone({}, "", BLOCK_SERVER)
        self.contexts = _contexts(data)

    def set_mode(self, mode: FarSideMode) -> None:
        """Put a mode in force."""
        self.mode = mode
        row = methods()[mode.method] if mode.method else PASS
        surfaces = ("app", "web", "other") if mode.everything else row.surfaces
        self.interference = msgspec.structs.replace(row, surfaces=surfaces)

    async def open(self) -> None:
        """Listen at all addresses. Raises OSError."""
        loop = asyncio.get_running_loop()
        for address in RESOLVERS:
            await loop.create_datagram_endpoint(lambda: UdpResolver(self), local_addr=(address, 53))
        listeners: list[tuple[str, int, Callable[[], Responder]]] = [(a, 443, self.app) for a in APP]
        for address in SITE:
            listeners += [(address, 443, self.web_tls), (address, 80, self.web_http)]
        listeners += [(a, 443, self.control) for a in WATCH.control.addresses]
        listeners.append((WATCH.second_resolver.address, 53, lambda: DnsOverTcp(self.zone.true_reply)))
        listeners += [(BLOCK_SERVER, 443, lambda: Tls(self.contexts["notice"], Http(block_page)))]
        listeners += [(BLOCK_SERVER, 80, lambda: Http(block_page))]
        for address, port, make_responder in listeners:
            await loop.create_server(lambda make=make_responder: ResponderProtocol(make()), address, port, backlog=4096)  # type: ignore[misc]

    def app(self) -> Responder:
        """A responder for one of the app's datacentres."""
        return Resets() if self.mode.down else Silent() if self.interference.mtproto == "ignore" else Mtproto()

    def web_tls(self) -> Responder:
        """A responder for the site on port 443, or for a middlebox in front of it."""
        tls = "reset" if self.mode.down else self.interference.tls
        if tls in ("reset", "ignore"):
            return Resets() if tls == "reset" else Silent()
        context = self.contexts["impostor"] if tls == "impostor" else self.contexts[self.mode.certificate]
        site = Tls(context, Http(_page("Papergull")))
        return NameFilter(SITE_HOST, site) if tls == "reset-name" else site

    def web_http(self) -> Responder:
        """A responder for the site on port 80."""
        if self.mode.down:
            return Resets()
        return Http(block_page if self.interference.http == "page" else redirect_to_https)

    def control(self) -> Responder:
        """A responder for the control on port 443."""
        return Tls(self.contexts[self.mode.control_certificate], Http(_page("Lighthouse")))

    def replies(self, query: bytes) -> list[bytes]:
        """The replies of the line's resolver to a query."""
        if self.mode.filters and CANARY.split(".")[0].encode() in query:
            return self.empty_zone.replies(query, PASS)
        return self.zone.replies(query, self.interference)


class ResponderProtocol(asyncio.Protocol):
    """Connects a responder to a connection."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Send the responder's reply, and do with the connection what the reply says."""
        reply: Reply = self._responder.receive(data)
        if reply.data:
            self._transport.write(reply.data)
        if reply.then == "ignore":
            self._responder = Silent()
        elif reply.then == "close":
            self._transport.close()
        elif reply.then == "reset":
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self._transport.abort()


class UdpResolver(asyncio.DatagramProtocol):
    """A resolver over UDP."""

    def __init__(self, far_side: FarSide) -> None:
        self._far_side = far_side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.DatagramTransport", transport)  # declared so only since Python 3.12

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer with the mode's delay, or not at all."""
        mode, generator = self._far_side.mode, random.SystemRandom()
        if generator.random() < mode.loses:
            return
        delay_s = mode.slow_ms / 1000 * (1 + mode.spread * generator.uniform(-1, 1))
        for reply in self._far_side.replies(data):
            asyncio.get_running_loop().call_later(delay_s, self._transport.sendto, reply, addr)


def _contexts(data: Path) -> dict[str, ssl.SSLContext]:
    """Server contexts by the names in FarSideMode. The certificate for the probe to trust is written into `data`."""
    trusted = Authority(data, "Lab authority")
    foreign = Authority(data, "Filter authority", file="foreign.pem")
    files = {
        "site": trusted.write(SITE_HOST),
        "early": trusted.write(SITE_HOST, days=_FROM_FIVE_DAYS_ON),
        "control": trusted.write(WATCH.control.host),
        "early-control": trusted.write(WATCH.control.host, days=_FROM_FIVE_DAYS_ON),
        "impostor": foreign.write(SITE_HOST),
        "notice": foreign.write("notice.ostramere.example"),
    }
    return {name: server_context(file) for name, file in files.items()}


def _page(title: str) -> Callable[[str, str], bytes]:
    return functools.partial(front_page, f"<title>{title}</title>", WATCH.control.transfer)


async def main(data: Path) -> None:
    """Serve until stdin ends."""
    far_side = FarSide(data)
    await far_side.open()
    print(json.dumps({"authority": str(data / AUTHORITY)}), flush=True)  # noqa: T201 - the parent reads it
    while line := await asyncio.to_thread(sys.stdin.readline):
        far_side.set_mode(msgspec.json.decode(line, type=FarSideMode))
        print("{}", flush=True)  # noqa: T201


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(parser.parse_args().data))

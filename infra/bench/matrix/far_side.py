"""The far side of the test bed: the service, the control and two resolvers, at their own addresses in a namespace.

`python -m infra.bench.matrix.far_side --data DIR` listens, prints a JSON line, then reads one line of JSON (a Mode)
after the other from stdin and answers each with an empty object once it is in force. The end of stdin ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import functools
import json
import random
import socket
import ssl
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec
from cryptography.hazmat.primitives import serialization

from infra.bench.matrix.addresses import APP, BLOCK_SERVER, CANARY, RESOLVERS, SITE, SITE_HOST, WATCH, zone
from infra.lab.interference import PASS, methods
from infra.lab.servers.certificates import AUTHORITY, Issuer
from infra.lab.servers.resolver import DnsOverTcp, Zone
from infra.lab.servers.responders import Http, Mtproto, NameFilter, Resets, Responder, Silent, Tls, response

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.lab.servers.responders import Reply

NOTICE = "<html><head><title>Notice</title></head><body><h1>This site has been blocked by order of the Signals Office of Ostramere</h1></body></html>"  # noqa: E501 - one page
_LARGE = "0123456789abcde\n" * 6144
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class FarSideMode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the world does for the next runs."""

    method: str = ""
    """A row of infra/lab/methods.toml, "" for none."""
    everything: bool = False
    """Whether the resolver's part of it touches every name."""
    slow_ms: float = 5.0
    """After how long the line's resolvers answer."""
    spread: float = 0.0
    """1.0: after anything between nothing and twice that."""
    loses: float = 0.0
    """Share of queries that the line's resolvers never answer."""
    filters: bool = False
    """The line's resolver denies the canary, as one does that filters for its users."""
    down: bool = False
    """The service itself refuses every connection; the control works."""
    certificate: str = "site"
    """`site`, or `early`: the site's own, valid from next week on, as a clock that is slow sees it."""
    control_certificate: str = "control"
    """`control`, or `early-control`."""


class FarSide:
    """Every listening socket, and the mode in force."""

    def __init__(self, data: Path) -> None:
        self.mode = FarSideMode()
        self.touched = PASS
        self.zone, self.empty = zone(), Zone({}, "", BLOCK_SERVER)
        self.contexts = _contexts(data)

    def set(self, mode: FarSideMode) -> None:
        """Put a mode in force."""
        self.mode = mode
        row = methods()[mode.method] if mode.method else PASS
        surfaces = ("app", "web", "other") if mode.everything else row.surfaces
        self.touched = msgspec.structs.replace(row, surfaces=surfaces)

    async def open(self) -> None:
        """Listen everywhere. Raises OSError."""
        loop = asyncio.get_running_loop()
        for address in RESOLVERS:
            await loop.create_datagram_endpoint(lambda: UdpResolver(self), local_addr=(address, 53))
        doors: list[tuple[str, int, Callable[[], Responder]]] = [(a, 443, self.app) for a in APP]
        for address in SITE:
            doors += [(address, 443, self.web_tls), (address, 80, self.web_http)]
        doors += [(a, 443, self.control) for a in WATCH.control.addresses]
        doors.append((WATCH.second_resolver.address, 53, lambda: DnsOverTcp(self.zone.honest)))
        doors += [(BLOCK_SERVER, 443, lambda: Tls(self.contexts["notice"], Http(_notice)))]
        doors += [(BLOCK_SERVER, 80, lambda: Http(_notice))]
        for address, port, welcome in doors:
            await loop.create_server(lambda w=welcome: ResponderProtocol(w()), address, port, backlog=4096)  # type: ignore[misc]

    def app(self) -> Responder:
        """A datacentre."""
        return Resets() if self.mode.down else Silent() if self.touched.mtproto == "ignore" else Mtproto()

    def web_tls(self) -> Responder:
        """The site on port 443, or what sits before it."""
        how = "reset" if self.mode.down else self.touched.tls
        if how in ("reset", "ignore"):
            return Resets() if how == "reset" else Silent()
        shown = self.contexts["impostor"] if how == "impostor" else self.contexts[self.mode.certificate]
        site = Tls(shown, Http(functools.partial(_page, "Papergull")))
        return NameFilter(SITE_HOST, site) if how == "reset-name" else site

    def web_http(self) -> Responder:
        """The site on port 80."""
        if self.mode.down:
            return Resets()
        return Http(_notice if self.touched.http == "page" else _to_https)

    def control(self) -> Responder:
        """The control on port 443."""
        return Tls(
            self.contexts[self.mode.control_certificate],
            Http(functools.partial(_page, "Lighthouse")),
        )

    def replies(self, query: bytes) -> list[bytes]:
        """What the line's resolver says."""
        if self.mode.filters and CANARY.split(".")[0].encode() in query:
            return self.empty.replies(query, PASS)
        return self.zone.replies(query, self.touched)


class ResponderProtocol(asyncio.Protocol):
    """A talker on a connection."""

    def __init__(self, talker: Responder) -> None:
        self._talker = talker

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Let the talker hear, and do what it says."""
        said: Reply = self._talker.hear(data)
        if said.data:
            self._transport.write(said.data)
        if said.then == "deaf":
            self._talker = Silent()
        elif said.then == "close":
            self._transport.close()
        elif said.then == "reset":
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()


class UdpResolver(asyncio.DatagramProtocol):
    """A resolver over UDP."""

    def __init__(self, world: FarSide) -> None:
        self._world = world

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.DatagramTransport", transport)  # its class says so only since Python 3.12

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer in the mode's time, or never."""
        mode, draw = self._world.mode, random.SystemRandom()
        if draw.random() < mode.loses:
            return
        wait = mode.slow_ms / 1000 * (1 + mode.spread * draw.uniform(-1, 1))
        for reply in self._world.replies(data):
            asyncio.get_running_loop().call_later(wait, self._transport.sendto, reply, addr)


def _contexts(data: Path) -> dict[str, ssl.SSLContext]:
    """Server contexts by the words of Mode; what the probe is to trust is left in `data`."""
    trusted, foreign, next_week = Issuer("Lab authority"), Issuer("Filter authority"), dt.timedelta(days=5)
    pems = {
        "site": trusted.issue(SITE_HOST),
        "early": trusted.issue(SITE_HOST, next_week),
        "control": trusted.issue(WATCH.control.host),
        "early-control": trusted.issue(WATCH.control.host, next_week),
        "impostor": foreign.issue(SITE_HOST),
        "notice": foreign.issue("notice.ostramere.example"),
    }
    (data / AUTHORITY).write_bytes(trusted.certificate.public_bytes(serialization.Encoding.PEM))
    return {name: _context(data / f"{name}.pem", pem) for name, pem in pems.items()}


def _context(file: Path, pem: bytes) -> ssl.SSLContext:
    file.write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.num_tickets = 0
    return context


def _page(title: str, _host: str, path: str) -> bytes:
    """The front page, or at the path of the watch's transfers 96 KB."""
    return response("200 OK", _LARGE if path == WATCH.control.transfer else f"<title>{title}</title>")


def _notice(_host: str, _path: str) -> bytes:
    return response("451 Unavailable For Legal Reasons", NOTICE)


def _to_https(host: str, path: str) -> bytes:
    return response("301 Moved Permanently", "", f"Location: https://{host}{path}")


async def main(data: Path) -> None:
    """Serve until stdin ends."""
    world = FarSide(data)
    await world.open()
    print(json.dumps({"authority": str(data / AUTHORITY)}), flush=True)  # noqa: T201 - the other side reads it
    while line := await asyncio.to_thread(sys.stdin.readline):
        world.set(msgspec.json.decode(line, type=FarSideMode))
        print("{}", flush=True)  # noqa: T201


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(parser.parse_args().data))

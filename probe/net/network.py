"""The network as a probe sees it: resolve, connect, hold, handshake, request, exchange, transfer: one Step each.

This is the seam under which the lab puts its country: a `Dialer` says where an address really is. Everything above
is the same on a volunteer's line and in the lab. A failure on the network is data and never raises; what raises is
our own bug.
"""

from __future__ import annotations

import math
import ssl
from typing import TYPE_CHECKING, Literal

from probe.net import block_pages, certificates, dns
from probe.net.counted_socket import CountedSocket
from probe.net.dialer import Dialer, RealDialer
from probe.net.step import StepFacts, counted, timed
from probe.net.tcp_connection import TcpConnection
from probe.net.tls import TlsSession
from probe.protocol.addresses import endpoint
from probe.protocol.measurement import Part, Step

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from probe.base.clock import Clock

_LONGEST_LINGER_S = 0.2
"""How long a resolver's socket stays open after the first reply, at most."""


class Network:
    """Opens connections and asks resolvers. One lives as long as its probe and serves all its runs.

    `ca_file` takes the place of the certificate authorities that this machine trusts.
    Raises UserError when no authority is found, or a file can't be read.
    """

    def __init__(
        self, dialer: Dialer | None = None, ca_file: Path | None = None, fingerprint_file: Path | None = None
    ) -> None:
        self.dialer: Dialer = dialer or RealDialer()
        self.ca_file = ca_file
        self.fingerprints = block_pages.read(fingerprint_file or block_pages.SHIPPED)
        certificates.anchors(ca_file)
        # Making a context is dear, and nothing is verified while a handshake goes on: a wrong certificate is a fact.
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE
        self.sessions: dict[tuple[str, str], TlsSession] = {}
        """TLS sessions that can be taken up again, by server name and address. Each is used once."""

    async def resolve(
        self, host: str, *, limit: float, clock: Clock, part: Part = "target", family: Literal[4, 6] = 4
    ) -> Step:
        """Ask the system's resolver over UDP for a name's addresses, and listen on for more replies.

        A reply that was cut short to fit a datagram is asked for again over TCP.
        """

        async def ask(facts: StepFacts) -> None:
            ear = dns.ReplyListener(clock, family)
            linger = min(_LONGEST_LINGER_S, limit / 4)
            server = self.dialer.system_resolver()
            with ear.into(facts):
                with CountedSocket.datagrams(server) as wire, counted(wire, facts):
                    await dns.ask_datagrams(wire, host, ear, clock.within(limit), linger)
                if not ear.replies:
                    await dns.ask_again(server, host, ear, clock.within(limit))

        via = "system" if family == 4 else "system6"
        return await timed(ask, math.inf, clock, part=part, op="resolve", target=host, via=via)

    async def resolve_second(
        self,
        host: str,
        server: tuple[str, int],
        *,
        limit: float,
        clock: Clock,
        part: Part = "target",
        family: Literal[4, 6] = 4,
    ) -> Step:
        """Ask another resolver over TCP: the second path."""

        async def ask(facts: StepFacts) -> None:
            ear = dns.ReplyListener(clock, family)
            with await CountedSocket.stream(self.dialer.tcp(*server)) as wire, counted(wire, facts), ear.into(facts):
                await dns.ask_stream(wire, host, ear)

        via = "second" if family == 4 else "second6"
        return await timed(ask, limit, clock, part=part, op="resolve", target=host, via=via)

    async def connect(
        self,
        target: str,
        address: str,
        port: int,
        *,
        limit: float,
        clock: Clock,
        part: Part = "target",
        seen: Callable[[Step], None] = lambda _: None,
    ) -> TcpConnection:
        """Connect over TCP. The connection comes back even when that failed, with the step that says how.

        `seen` is told of every step on it as it ends.
        """
        connection = TcpConnection(self, limit, clock, seen, part=part, target=target, address=endpoint(address, port))
        await connection.open(self.dialer, address, port)
        return connection

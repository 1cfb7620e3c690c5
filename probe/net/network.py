"""The network as a probe sees it: it asks resolvers and opens connections, and records every operation as one Step.

A `Dialer` says where an address really is, which is how the lab puts its country in place of the internet; all the
rest is the same on a volunteer's line and in the lab. A failure on the network is data and never raises; an exception
from here is a bug of ours.
"""

from __future__ import annotations

import math
import ssl
from typing import TYPE_CHECKING, Literal

from probe.net import block_pages, certificates, dns
from probe.net.counted_socket import CountedSocket
from probe.net.dialer import Dialer, RealDialer
from probe.net.step import StepFacts, count_bytes, run_step
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
    """Opens connections and asks resolvers. A probe has one, for all its runs.

    `ca_file` replaces the certificate authorities that this machine trusts.
    Raises UserError when no authority is found, or a file can't be read.
    """

    def __init__(
        self, dialer: Dialer | None = None, ca_file: Path | None = None, fingerprint_file: Path | None = None
    ) -> None:
        self.dialer: Dialer = dialer or RealDialer()
        self.ca_file = ca_file
        self.fingerprints = block_pages.read(fingerprint_file or block_pages.SHIPPED)
        certificates.anchors(ca_file)
        # Made once, since making a context is slow. It verifies nothing, so that a wrong certificate is captured.
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE
        self.sessions: dict[tuple[str, str], TlsSession] = {}
        """TLS sessions that can be resumed, by server name and address. Each is used once."""

    async def resolve(
        self, host: str, *, limit: float, clock: Clock, part: Part = "target", family: Literal[4, 6] = 4
    ) -> Step:
        """Ask the system's resolver over UDP for a name's addresses, and keep listening for more replies.

        `limit` is in seconds. After a reply that was truncated to fit a datagram, it is asked again over TCP.
        """

        async def ask(facts: StepFacts) -> None:
            listener = dns.ReplyListener(clock, family)
            linger_s = min(_LONGEST_LINGER_S, limit / 4)
            server = self.dialer.system_resolver()
            with listener.record_into(facts):
                with CountedSocket.datagrams(server) as sock, count_bytes(sock, facts):
                    await dns.query_udp(sock, host, listener, clock.within(limit), linger_s)
                if not listener.replies:
                    await dns.retry_over_tcp(server, host, listener, clock.within(limit))

        via = "system" if family == 4 else "system6"
        return await run_step(ask, math.inf, clock, part=part, op="resolve", target=host, via=via)

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
        """Ask another resolver, over TCP, for a name's addresses."""

        async def ask(facts: StepFacts) -> None:
            listener = dns.ReplyListener(clock, family)
            address = self.dialer.tcp(*server)
            with (
                await CountedSocket.stream(address) as sock,
                count_bytes(sock, facts),
                listener.record_into(facts),
            ):
                await dns.query_tcp(sock, host, listener)

        via = "second" if family == 4 else "second6"
        return await run_step(ask, limit, clock, part=part, op="resolve", target=host, via=via)

    async def connect(
        self,
        target: str,
        address: str,
        port: int,
        *,
        limit: float,
        clock: Clock,
        part: Part = "target",
        on_step: Callable[[Step], None] = lambda _: None,
    ) -> TcpConnection:
        """Connect over TCP. A connection is returned even when that failed, with the step that says how.

        `limit` is each step's, in seconds; `on_step` is called with every step on the connection as it ends.
        """
        where = endpoint(address, port)
        connection = TcpConnection(self, limit, clock, on_step, part=part, target=target, address=where)
        await connection.open(self.dialer, address, port)
        return connection

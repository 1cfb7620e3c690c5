"""The network as a probe sees it: resolve, connect, hold, handshake, request, exchange, transfer: one Step each.

This is the seam under which the lab puts its country: a `Dialer` says where an address really is. Everything above
is the same on a volunteer's line and in the lab. A failure on the network is data and never raises; what raises is
our own bug.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import math
import socket
import ssl
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from probe.net import block_pages as fingerprints
from probe.net import certificates as trust
from probe.net import dns as resolver
from probe.net import download as transfers
from probe.net import failures, http1, mtproto
from probe.net.counted_socket import Wire
from probe.net.step import Facts, counted, timed
from probe.net.tls import Secure, Session
from probe.protocol.addresses import endpoint
from probe.protocol.measurement import Op, Part, Step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from probe.base.clock import Clock

_LONGEST_LINGER_S = 0.2
"""How long a resolver's socket stays open after the first reply, at most."""


class Dialer(Protocol):
    """Where to really connect."""

    def tcp(self, address: str, port: int) -> tuple[str, int]:
        """The IP address and port to dial for a service's. Raises OSError for what must not be contacted."""

    def udp(self, address: str, port: int) -> tuple[str, int] | None:
        """The same for QUIC's datagrams; None where nothing speaks QUIC, as in the lab: then it isn't tested."""

    def system_resolver(self) -> tuple[str, int]:
        """The IP address and port of this machine's resolver, asked over UDP. Raises OSError when there is none."""

    def has_route(self, address: str) -> bool:
        """Whether this machine has a way to an address at all; nothing is sent. Many lines have none over IPv6."""


class RealDialer:
    """The internet as it is."""

    def has_route(self, address: str) -> bool:
        """What the routing table says."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect((address, 9))  # a datagram socket that is connected only looks the route up
        except OSError:
            return False
        return True

    def tcp(self, address: str, port: int) -> tuple[str, int]:
        """The service's own address."""
        return address, port

    def udp(self, address: str, port: int) -> tuple[str, int] | None:
        """The service's own address."""
        return address, port

    def system_resolver(self) -> tuple[str, int]:
        """The first resolver that this machine is set up to use. Read anew each time: networks change."""
        import dns.resolver  # noqa: PLC0415 - pulls in a good deal, and the lab never needs it

        try:
            servers = dns.resolver.Resolver().nameservers
        except dns.resolver.NoResolverConfiguration as e:
            raise OSError(errno.ENETUNREACH, "this machine has no resolver") from e
        return str(servers[0]), 53


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
        self.fingerprints = fingerprints.read(fingerprint_file or fingerprints.SHIPPED)
        trust.anchors(ca_file)
        # Making a context is dear, and nothing is verified while a handshake goes on: a wrong certificate is a fact.
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE
        self.sessions: dict[tuple[str, str], Session] = {}
        """TLS sessions that can be taken up again, by server name and address. Each is used once."""

    async def resolve(
        self, host: str, *, limit: float, clock: Clock, part: Part = "target", family: Literal[4, 6] = 4
    ) -> Step:
        """Ask the system's resolver over UDP for a name's addresses, and listen on for more replies.

        A reply that was cut short to fit a datagram is asked for again over TCP.
        """

        async def ask(facts: Facts) -> None:
            ear = resolver.Ear(clock, family)
            linger = min(_LONGEST_LINGER_S, limit / 4)
            server = self.dialer.system_resolver()
            with ear.into(facts):
                with Wire.datagrams(server) as wire, counted(wire, facts):
                    await resolver.ask_datagrams(wire, host, ear, clock.within(limit), linger)
                if not ear.replies:
                    await resolver.ask_again(server, host, ear, clock.within(limit))

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

        async def ask(facts: Facts) -> None:
            ear = resolver.Ear(clock, family)
            with await Wire.stream(self.dialer.tcp(*server)) as wire, counted(wire, facts), ear.into(facts):
                await resolver.ask_stream(wire, host, ear)

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
    ) -> Connection:
        """Connect over TCP. The connection comes back even when that failed, with the step that says how.

        `seen` is told of every step on it as it ends.
        """
        connection = Connection(self, limit, clock, seen, part=part, target=target, address=endpoint(address, port))
        await connection.open(self.dialer, address, port)
        return connection


class Connection:
    """One TCP connection and the steps made on it so far, in order. After a step that failed, nothing more is done.

    Used with `with`, so that it always closes.
    """

    def __init__(
        self, network: Network, limit: float, clock: Clock, seen: Callable[[Step], None], **named: Any
    ) -> None:
        self._network = network
        self._limit = limit
        self._clock = clock
        self._seen = seen
        self._named = named
        self._wire: Wire | None = None
        self._secure: Secure | None = None
        self.steps: list[Step] = []

    async def open(self, dialer: Dialer, address: str, port: int) -> None:
        """Make the connection; `Network.connect` calls it."""

        async def connect(_: Facts) -> None:
            self._wire = await Wire.persistent(dialer.tcp(address, port), self._limit / 2)

        self._add(await timed(connect, self._limit, self._clock, op="connect", **self._named))

    async def hold(self, wait: float) -> None:
        """Wait in silence for `wait` seconds: a reset now was provoked by nothing but the address."""

        async def listen(wire: Wire, _: Facts) -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await wire.receive()

        await self._then("hold", "", listen)

    async def handshake(self, name: str, *, resume: bool = False) -> None:
        """Shake hands over TLS under a server name, then judge the certificate that was shown for that name.

        With `resume` the last session with that name is taken up again, if its certificate was right and the server
        agrees: that proves it is the same server, for a third of the bytes.
        """

        async def shake(wire: Wire, facts: Facts) -> None:
            sessions = self._network.sessions
            session = sessions.pop((name, self._named["address"]), None) if resume else None
            secure = Secure(wire, self._network.tls, name, session)
            shown = trust.judge(await secure.shake(), name, self._network.ca_file)
            self._secure = secure
            facts.update(certificate=shown.certificate, certificate_failure=shown.failure, names=shown.names)

        await self._then("handshake", name, shake)

    async def keep_session(self, name: str) -> None:
        """After a handshake that showed the right certificate, wait a little for what the next one can take up.

        A contrast's certificate is never for its name.
        """
        right = self.steps[-1].certificate_failure is None or self._named["part"] == "contrast"
        if self._secure and right and not self.failed:
            session = await self._secure.session(min(_LONGEST_LINGER_S, self._limit / 4))
            if session:
                self._network.sessions[name, self._named["address"]] = session

    async def request(self, host: str, method_and_path: str = "GET /", fields: tuple[str, ...] = http1.CLOSE) -> None:
        """Ask for a page, over TLS after a handshake, and keep facts about it: never the page."""

        async def ask(wire: Wire, facts: Facts) -> None:
            channel = self._secure or wire
            await channel.send(http1.request(method_and_path, host, fields))
            raw = bytearray()
            try:
                await _fill(raw, channel)
            finally:  # what came before a cut is a fact too: some censors send their page and then reset
                facts.update(self._page(bytes(raw)))

        await self._then("request", method_and_path, ask)

    async def exchange(self, transport: str = "intermediate") -> None:
        """Ask a Telegram datacentre for resPQ over an MTProto transport."""

        async def ask(wire: Wire, _: Facts) -> None:
            nonce = mtproto.nonce()
            carrier = mtproto.TRANSPORTS[transport]()
            await wire.send(carrier.first(mtproto.question(nonce)))
            raw = b""
            while (message := carrier.reply(raw)) is None:
                raw += await wire.receive()
            mtproto.check_answer(message, nonce)

        await self._then("exchange", transport, ask)

    async def transfer(self, host: str, path: str) -> None:
        """Download for a bounded time and size, and keep how it went. What comes slowly is no failure."""

        async def download(wire: Wire, facts: Facts) -> None:
            channel = self._secure or wire
            await channel.send(http1.request(f"GET {path}", host))
            # It ends by itself before the step's time is over: then what came is no failure.
            await transfers.download(channel, wire, self._clock, 0.9 * self._clock.within(self._limit), facts)

        await self._then("transfer", f"GET {path}", download)

    @property
    def failed(self) -> bool:
        """Whether a step on this connection failed."""
        return any(s.failure is not None for s in self.steps)

    def close(self) -> None:
        """Close the socket; more than once does no harm."""
        if self._wire is not None:
            self._wire.close()

    def _page(self, raw: bytes) -> Facts:
        """The facts of an answer, or of as much as came of it."""
        with contextlib.suppress(failures.Failed):
            response = http1.parse(raw)
            if response is not None:
                return http1.facts(response) | {"fingerprint": fingerprints.match(response, self._network.fingerprints)}
        return {}

    async def _then(self, op: Op, via: str, work: Callable[[Wire, Facts], Awaitable[None]]) -> None:
        if self.failed or self._wire is None:
            return
        wire = self._wire

        async def do(facts: Facts) -> None:
            with counted(wire, facts):
                await work(wire, facts)

        self._add(await timed(do, self._limit, self._clock, op=op, via=via, **self._named))

    def _add(self, step: Step) -> None:
        self.steps.append(step)
        self._seen(step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


async def _fill(raw: bytearray, wire: Wire | Secure) -> None:
    """Read one HTTP answer up to its end, the stream's end or the largest size. Raises EOFError within its head."""
    while True:
        try:
            raw += await wire.receive()
        except EOFError:
            if http1.parse(bytes(raw)) is None:
                raise
            return
        response = http1.parse(bytes(raw))
        if response is not None and (response.complete or len(raw) >= http1.LARGEST):
            return

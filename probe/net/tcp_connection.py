"""One TCP connection and the steps made on it: hold, handshake, request, exchange, transfer."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Protocol, Self

from probe.net import block_pages, certificates, failures, http1, mtproto
from probe.net import download as transfers
from probe.net.counted_socket import CountedSocket
from probe.net.step import StepFacts, counted, timed
from probe.net.tls import TlsConnection
from probe.protocol.measurement import Op, Step

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from probe.base.clock import Clock
    from probe.net.dialer import Dialer
    from probe.net.tls import TlsSession

_SESSION_S = 0.2
"""How long to wait for a session ticket after a handshake, at most."""


class ConnectionDefaults(Protocol):
    """What all connections of one probe share; `probe.net.network.Network` has it."""

    tls: ssl.SSLContext
    ca_file: Path | None
    fingerprints: tuple[block_pages.Fingerprint, ...]
    sessions: dict[tuple[str, str], TlsSession]


class TcpConnection:
    """One TCP connection and the steps made on it so far, in order. After a step that failed, nothing more is done.

    Used with `with`, so that it always closes.
    """

    def __init__(
        self, shared: ConnectionDefaults, limit: float, clock: Clock, seen: Callable[[Step], None], **named: Any
    ) -> None:
        self._shared = shared
        self._limit = limit
        self._clock = clock
        self._seen = seen
        self._named = named
        self._wire: CountedSocket | None = None
        self._secure: TlsConnection | None = None
        self.steps: list[Step] = []

    async def open(self, dialer: Dialer, address: str, port: int) -> None:
        """Make the connection; `Network.connect` calls it."""

        async def connect(_: StepFacts) -> None:
            self._wire = await CountedSocket.persistent(dialer.tcp(address, port), self._limit / 2)

        self._add(await timed(connect, self._limit, self._clock, op="connect", **self._named))

    async def hold(self, wait: float) -> None:
        """Wait in silence for `wait` seconds: a reset now was provoked by nothing but the address."""

        async def listen(wire: CountedSocket, _: StepFacts) -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await wire.receive()

        await self._then("hold", "", listen)

    async def handshake(self, name: str, *, resume: bool = False) -> None:
        """Shake hands over TLS under a server name, then judge the certificate that was shown for that name.

        With `resume` the last session with that name is taken up again, if its certificate was right and the server
        agrees: that proves it is the same server, for a third of the bytes.
        """

        async def shake(wire: CountedSocket, facts: StepFacts) -> None:
            sessions = self._shared.sessions
            session = sessions.pop((name, self._named["address"]), None) if resume else None
            secure = TlsConnection(wire, self._shared.tls, name, session)
            shown = certificates.judge(await secure.shake(), name, self._shared.ca_file)
            self._secure = secure
            facts.update(certificate=shown.certificate, certificate_failure=shown.failure, names=shown.names)

        await self._then("handshake", name, shake)

    async def keep_session(self, name: str) -> None:
        """After a handshake that showed the right certificate, wait a little for what the next one can take up.

        A contrast's certificate is never for its name.
        """
        right = self.steps[-1].certificate_failure is None or self._named["part"] == "contrast"
        if self._secure and right and not self.failed:
            session = await self._secure.session(min(_SESSION_S, self._limit / 4))
            if session:
                self._shared.sessions[name, self._named["address"]] = session

    async def request(self, host: str, method_and_path: str = "GET /", fields: tuple[str, ...] = http1.CLOSE) -> None:
        """Ask for a page, over TLS after a handshake, and keep facts about it: never the page."""

        async def ask(wire: CountedSocket, facts: StepFacts) -> None:
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

        async def ask(wire: CountedSocket, _: StepFacts) -> None:
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

        async def download(wire: CountedSocket, facts: StepFacts) -> None:
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

    def _page(self, raw: bytes) -> StepFacts:
        """The facts of an answer, or of as much as came of it."""
        with contextlib.suppress(failures.ProtocolFailure):
            response = http1.parse(raw)
            if response is not None:
                return http1.facts(response) | {"fingerprint": block_pages.match(response, self._shared.fingerprints)}
        return {}

    async def _then(self, op: Op, via: str, work: Callable[[CountedSocket, StepFacts], Awaitable[None]]) -> None:
        if self.failed or self._wire is None:
            return
        wire = self._wire

        async def do(facts: StepFacts) -> None:
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


async def _fill(raw: bytearray, wire: CountedSocket | TlsConnection) -> None:
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

"""One TCP connection and the steps made on it: hold, handshake, request, exchange, transfer."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol, Self

from probe.net import certificates, http_client, mtproto
from probe.net.counted_socket import CountedSocket
from probe.net.download import download
from probe.net.page import WebPage
from probe.net.step import StepFacts, count_bytes, run_step
from probe.net.tls import TlsConnection
from probe.protocol.measurement import Op, Part, Step

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from probe.base.clock import Clock
    from probe.net.block_pages import Fingerprint
    from probe.net.dialer import Dialer
    from probe.net.http_client import Channel
    from probe.net.tls import TlsSession

_TICKET_S = 0.2
"""How long to wait for a session ticket after a handshake, at most."""


class ConnectionDefaults(Protocol):
    """What all connections of one probe share: `probe.net.network.Network` provides it."""

    tls: ssl.SSLContext
    ca_file: Path | None
    fingerprints: tuple[Fingerprint, ...]
    sessions: dict[tuple[str, str], TlsSession]


class TcpConnection:
    """One TCP connection and the steps made on it so far, in order. After a step that failed, nothing more is done.

    `limit` is the time for each step, in seconds. Use `with`, which closes the connection.
    """

    def __init__(
        self,
        shared: ConnectionDefaults,
        limit: float,
        clock: Clock,
        on_step: Callable[[Step], None],
        *,
        part: Part,
        target: str,
        address: str,
    ) -> None:
        """`part`, `target` and `address` (`ip:port`) go into every step; `on_step` is called as each one ends."""
        self._shared = shared
        self._limit = limit
        self._clock = clock
        self._on_step = on_step
        self._part: Part = part
        self._target = target
        self._address = address
        self._socket: CountedSocket | None = None
        self._tls: TlsConnection | None = None
        self.steps: list[Step] = []

    async def open(self, dialer: Dialer, address: str, port: int) -> None:
        """Make the connection; `Network.connect` calls it."""

        async def connect(_: StepFacts) -> None:
            self._socket = await CountedSocket.stream_with_retry(dialer.tcp(address, port), self._limit / 2)

        await self._run("connect", "", connect)

    async def hold(self, wait: float) -> None:
        """Send nothing for `wait` seconds: a reset in that time can only be due to the address."""

        async def listen(sock: CountedSocket, _: StepFacts) -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await sock.receive()

        await self._run_counted("hold", "", listen)

    async def handshake(self, name: str, *, resume: bool = False) -> None:
        """Make a TLS handshake with a server name, then judge the presented certificate for that name.

        With `resume` the last session with that name is resumed, if its certificate was right and the server agrees:
        that proves it is the same server, for a third of the bytes.
        """

        async def shake_hands(sock: CountedSocket, facts: StepFacts) -> None:
            session = self._shared.sessions.pop((name, self._address), None) if resume else None
            tls = TlsConnection(sock, self._shared.tls, name, session)
            judged = certificates.judge(await tls.handshake(), name, self._shared.ca_file)
            self._tls = tls
            facts.update(judged.facts())

        await self._run_counted("handshake", name, shake_hands)

    async def keep_session(self, name: str) -> None:
        """After a handshake with the right certificate, wait a little for a session that the next one can resume.

        For a contrast any certificate will do: the server has none for the contrast's name.
        """
        is_right = self.steps[-1].certificate_failure is None or self._part == "contrast"
        if self._tls and is_right and not self.failed:
            session = await self._tls.session(min(_TICKET_S, self._limit / 4))
            if session:
                self._shared.sessions[name, self._address] = session

    async def request(self, host: str, path: str = "/") -> None:
        """Ask for a page, over TLS after a handshake, and record facts about it: never the page."""
        await self._ask(http_client.get, host, path)

    async def open_web_socket(self, host: str, path: str) -> None:
        """Ask for a web socket, over TLS after a handshake: status 101 means that it opens."""
        await self._ask(http_client.open_web_socket, host, path)

    async def _ask(self, ask: Callable[[Channel, str, str, WebPage], Awaitable[None]], host: str, path: str) -> None:
        async def recorded(sock: CountedSocket, facts: StepFacts) -> None:
            page = WebPage()
            try:
                await ask(self._tls or sock, host, path, page)
            finally:  # also when the connection was cut: some censors send their page and then reset
                facts.update(page.facts(self._shared.fingerprints))

        await self._run_counted("request", f"GET {path}", recorded)

    async def exchange(self, transport: str = "intermediate") -> None:
        """Ask a Telegram datacentre for resPQ over an MTProto transport (a key of `mtproto.TRANSPORTS`)."""

        async def ask(sock: CountedSocket, _: StepFacts) -> None:
            nonce = mtproto.nonce()
            carrier = mtproto.TRANSPORTS[transport]()
            await sock.send(carrier.first(mtproto.req_pq_multi(nonce)))
            raw = b""
            while (message := carrier.reply(raw)) is None:
                raw += await sock.receive()
            mtproto.check_res_pq(message, nonce)

        await self._run_counted("exchange", transport, ask)

    async def transfer(self, host: str, path: str) -> None:
        """Download for a bounded time and size, and record how it went. A slow download is not a failure."""

        async def fetch(sock: CountedSocket, facts: StepFacts) -> None:
            # It must end before the step's own time limit, which would make it a failure.
            limit_s = 0.9 * self._clock.within(self._limit)
            await download(self._tls or sock, host, path, sock, self._clock, limit_s, facts)

        await self._run_counted("transfer", f"GET {path}", fetch)

    @property
    def failed(self) -> bool:
        """Whether a step on this connection failed."""
        return any(s.failure is not None for s in self.steps)

    def close(self) -> None:
        """Close the socket. Calling it again does nothing."""
        if self._socket is not None:
            self._socket.close()

    async def _run_counted(
        self, op: Op, via: str, operation: Callable[[CountedSocket, StepFacts], Awaitable[None]]
    ) -> None:
        """Run an operation on the open connection and count its bytes. Does nothing once a step has failed."""
        if self.failed or self._socket is None:
            return
        sock = self._socket

        async def counted(facts: StepFacts) -> None:
            with count_bytes(sock, facts):
                await operation(sock, facts)

        await self._run(op, via, counted)

    async def _run(self, op: Op, via: str, operation: Callable[[StepFacts], Awaitable[None]]) -> None:
        step = await run_step(
            operation,
            self._limit,
            self._clock,
            op=op,
            via=via,
            part=self._part,
            target=self._target,
            address=self._address,
        )
        self.steps.append(step)
        self._on_step(step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

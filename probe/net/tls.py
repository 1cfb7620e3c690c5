"""TLS over a wire, by buffers, so that the socket's own errors are seen as they are."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, NamedTuple

from probe.net import certificates

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.net.counted_socket import CountedSocket

_AT_ONCE = 16 * 1024


class TlsSession(NamedTuple):
    """What a later connection to the same server can take up, and the chain (DER) that the server showed at first."""

    ticket: ssl.SSLSession
    chain: list[bytes]


class TlsConnection:
    """One TLS connection under a server name. Nothing is verified: a wrong certificate is a fact to record."""

    def __init__(
        self, wire: CountedSocket, context: ssl.SSLContext, name: str, session: TlsSession | None = None
    ) -> None:
        """`session` is an earlier one with the same server: taken up again, no certificates travel."""
        self._wire = wire
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        ticket = session.ticket if session else None
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name, session=ticket)
        self._chain = session.chain if session else []

    async def shake(self) -> list[bytes]:
        """Shake hands. The chain that was shown, in DER, the leaf first. Raises OSError, EOFError."""
        await self._until(self._tls.do_handshake)
        if not self._tls.session_reused:
            self._chain = certificates.chain_of(self._tls)
        return self._chain

    async def session(self, wait: float) -> TlsSession | None:
        """What a later connection can take up, if the server gives it within `wait` seconds after the handshake."""
        with contextlib.suppress(TimeoutError, OSError, EOFError):
            async with asyncio.timeout(wait):
                await self.receive()  # tickets come before anything else, and nothing was asked for
        ticket = self._tls.session
        return TlsSession(ticket, self._chain) if ticket is not None and ticket.has_ticket else None

    async def send(self, data: bytes) -> None:
        """Encrypt and send. Raises OSError."""
        self._tls.write(data)  # into memory: it takes everything
        await self._flush()

    async def receive(self) -> bytes:
        """The next bytes, decrypted. Raises EOFError at the stream's end, OSError."""
        found = b""

        def read() -> None:
            nonlocal found
            found = self._tls.read(_AT_ONCE)

        try:
            await self._until(read)
        except ssl.SSLZeroReturnError:  # an end that was announced
            raise EOFError from None
        if not found:
            raise EOFError
        return found

    async def _until(self, step: Callable[[], object]) -> None:
        """Do a step of TLS, giving it what it waits for. What it wants to say goes out even when it fails."""
        while True:
            try:
                step()
            except ssl.SSLWantReadError:
                await self._flush()
                self._incoming.write(await self._wire.receive())
            except ssl.SSLError:
                with contextlib.suppress(OSError):  # an alert, to whoever is still there
                    await self._flush()
                raise
            else:
                await self._flush()
                return

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._wire.send(self._outgoing.read())

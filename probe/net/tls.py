"""TLS over a counted socket, through memory buffers, so that the socket's own errors come through unchanged."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, NamedTuple

from probe.net import certificates

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.net.counted_socket import CountedSocket

_READ_SIZE = 16 * 1024


class TlsSession(NamedTuple):
    """A session that a later connection to the same server can resume, and the server's certificate chain (DER)."""

    ticket: ssl.SSLSession
    chain: list[bytes]


class TlsConnection:
    """One TLS connection with a server name. Nothing is verified: a wrong certificate is a fact to record."""

    def __init__(
        self, sock: CountedSocket, context: ssl.SSLContext, name: str, session: TlsSession | None = None
    ) -> None:
        """`session` is an earlier one with the same server: when it is resumed, no certificates travel."""
        self._sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        ticket = session.ticket if session else None
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name, session=ticket)
        self._chain = session.chain if session else []

    async def handshake(self) -> list[bytes]:
        """Make the TLS handshake. Returns the presented chain in DER, the leaf first. Raises OSError, EOFError."""
        await self._complete(self._tls.do_handshake)
        if not self._tls.session_reused:
            self._chain = certificates.chain_of(self._tls)
        return self._chain

    async def session(self, wait: float) -> TlsSession | None:
        """A session that a later connection can resume; None when the server sends no ticket within `wait` seconds."""
        with contextlib.suppress(TimeoutError, OSError, EOFError):
            async with asyncio.timeout(wait):
                await self.receive()  # tickets come first, and no other data was asked for
        ticket = self._tls.session
        return TlsSession(ticket, self._chain) if ticket is not None and ticket.has_ticket else None

    async def send(self, data: bytes) -> None:
        """Encrypt and send. Raises OSError."""
        self._tls.write(data)  # into a memory buffer, which takes all of it
        await self._flush()

    async def receive(self) -> bytes:
        """The next bytes, decrypted. Raises EOFError at the stream's end, OSError."""
        data = b""

        def read() -> None:
            nonlocal data
            data = self._tls.read(_READ_SIZE)

        try:
            await self._complete(read)
        except ssl.SSLZeroReturnError:  # the peer sent close_notify
            raise EOFError from None
        if not data:
            raise EOFError
        return data

    async def _complete(self, step: Callable[[], object]) -> None:
        """Call `step` again and again, with more received bytes each time, until TLS has all that the step needs.

        What TLS has to send (an alert, for example) is sent even when the step fails.
        """
        while True:
            try:
                step()
            except ssl.SSLWantReadError:
                await self._flush()
                self._incoming.write(await self._sock.receive())
            except ssl.SSLError:
                with contextlib.suppress(OSError):  # the peer may have closed already
                    await self._flush()
                raise
            else:
                await self._flush()
                return

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._sock.send(self._outgoing.read())

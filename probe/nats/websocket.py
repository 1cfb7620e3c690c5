"""A WebSocket for nats-py: NATS' own bytes in the binary frames of RFC 6455.

nats-py has one over aiohttp, which costs a probe 20 MB of memory for one connection that lives for seconds. This one
does what NATS needs: a client that sends binary frames and takes them, and answers pings. It offers no compression.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import secrets
import struct
from typing import TYPE_CHECKING

from nats.aio.transport import Transport

if TYPE_CHECKING:
    import ssl
    from urllib.parse import ParseResult

_CONTINUATION, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x2, 0x8, 0x9, 0xA
_LAST = 0x80
_MASKED = 0x80
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, section 1.3: what a server proves with that it understood the handshake."""
_LARGEST = 1 << 20
"""The largest frame that is taken: NATS' own limit here is 128 KB."""


class WebSocket(Transport):  # type: ignore[misc, unused-ignore]
    """One WebSocket, as nats-py's `Transport`. `ssl` errors and OSError come through; what breaks the protocol is a
    ConnectionError.
    """

    def __init__(self) -> None:
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._ended = False

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        """Connect in the clear (ws://). Raises OSError, TimeoutError."""
        await self._open(uri, None, buffer_size, connect_timeout)

    async def connect_tls(
        self, uri: str | ParseResult, ssl_context: ssl.SSLContext, buffer_size: int, connect_timeout: int
    ) -> None:
        """Connect over TLS (wss://). Once connected, a second call is nats-py asking for what it has."""
        if self._writer is None and not isinstance(uri, str):
            await self._open(uri, ssl_context, buffer_size, connect_timeout)

    async def _open(self, uri: ParseResult, tls: ssl.SSLContext | None, limit: int, timeout_s: float) -> None:
        port = uri.port or (443 if tls else 80)
        async with asyncio.timeout(timeout_s):
            self._reader, self._writer = await asyncio.open_connection(
                uri.hostname, port, ssl=tls, limit=max(limit, 1 << 16)
            )
            await self._upgrade(f"{uri.hostname}:{port}", uri.path or "/")

    async def _upgrade(self, host: str, path: str) -> None:
        reader, writer = self._both()
        nonce = base64.b64encode(secrets.token_bytes(16)).decode()
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {nonce}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as e:
            raise ConnectionError("no WebSocket: the answer has no end") from e
        status, _, fields = head.partition("\r\n")
        proof = base64.b64encode(hashlib.sha1((nonce + _GUID).encode(), usedforsecurity=False).digest()).decode()
        said = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in fields.split("\r\n"))}
        if " 101 " not in f"{status} " or said.get("sec-websocket-accept") != proof:
            raise ConnectionError(f"no WebSocket: {status[:64]!r}")

    def write(self, payload: bytes) -> None:
        """Send as one binary frame."""
        self._send(_BINARY, bytes(payload))

    def writelines(self, payload: list[bytes]) -> None:
        """Send as one binary frame: NATS' protocol has its own bounds."""
        self._send(_BINARY, b"".join(payload))

    async def read(self, buffer_size: int) -> bytes:  # noqa: ARG002 - frames have their own size
        """The next frame's bytes; empty at the end."""
        return await self.readline()

    async def readline(self) -> bytes:
        """The next binary frame's bytes; empty when the other side closed. Raises ConnectionError, OSError."""
        while not self._ended:
            kind, data = await self._frame()
            if kind in (_BINARY, _CONTINUATION) and data:
                return data
            if kind == _PING:
                self._send(_PONG, data)
            elif kind == _CLOSE:
                self._ended = True
        return b""

    async def _frame(self) -> tuple[int, bytes]:
        reader, _ = self._both()
        try:
            first, second = await reader.readexactly(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", await reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await reader.readexactly(8))
            if size > _LARGEST:
                raise ConnectionError(f"a WebSocket frame of {size} bytes")
            return first & 0x0F, await reader.readexactly(size)
        except asyncio.IncompleteReadError:
            self._ended = True
            return _CLOSE, b""

    def _send(self, kind: int, data: bytes) -> None:
        _, writer = self._both()
        size = len(data)
        if size < 126:
            head = struct.pack("!BB", _LAST | kind, _MASKED | size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", _LAST | kind, _MASKED | 126, size)
        else:
            head = struct.pack("!BBQ", _LAST | kind, _MASKED | 127, size)
        mask = secrets.token_bytes(4)
        stretched = (mask * (size // 4 + 1))[:size]
        masked = (int.from_bytes(data, "big") ^ int.from_bytes(stretched, "big")).to_bytes(size, "big")
        writer.write(head + mask + masked)

    async def drain(self) -> None:
        """Wait until the socket takes more."""
        await self._both()[1].drain()

    def close(self) -> None:
        """Say goodbye and close. Doing so twice is harmless."""
        if self._writer is not None and not self._writer.is_closing():
            with contextlib.suppress(OSError, RuntimeError):
                self._send(_CLOSE, b"")
            self._writer.close()

    async def wait_closed(self) -> None:
        """Wait until it is closed."""
        if self._writer is not None:
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()

    def at_eof(self) -> bool:
        """Whether nothing more can come."""
        return self._ended or self._reader is None or self._reader.at_eof()

    def __bool__(self) -> bool:
        return True

    def _both(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is None or self._writer is None:
            raise ConnectionError("the WebSocket is not connected")
        return self._reader, self._writer

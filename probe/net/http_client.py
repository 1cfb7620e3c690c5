"""HTTP requests and web socket handshakes by aiohttp, over a connection that the probe has made and measured itself.

The probe connects, holds and shakes hands step by step (`tcp_connection`), so the connection exists before there is a
request. aiohttp gets one end of a socket pair (`TCPConnector(socket_factory=…)`), and what it sends and receives there
is passed on over the connection. So every failure, time and byte is taken at the probe's own socket, with the operating
system's own error, whatever aiohttp makes of it; and what aiohttp refuses is still at hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Protocol

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.http import HttpProcessingError
from yarl import URL

from probe.net.failures import HTTP_FAILED, ProtocolFailure
from probe.net.http_head import ResponseHead

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from probe.net.page import WebPage

LARGEST = 64 * 1024
"""Bytes of an answer, head and body, that are read at most."""
KEPT = 16 * 1024
"""Bytes from the beginning of an answer that are kept as they came."""
_READ_SIZE = 16 * 1024
_REST_S = 0.5
"""How long the rest of an answer is waited for that aiohttp does not read: what is not HTTP, and a refused upgrade."""
_INCOMPLETE = "Not enough data"
"""In the text of aiohttp's errors about a body that is shorter than announced, by both of its parsers."""
_HEADERS = {"User-Agent": "Mozilla/5.0", "Accept": "*/*"}
_CLIENT_ERRORS = (aiohttp.ClientError, HttpProcessingError)


class Channel(Protocol):
    """A byte stream to the server: a TCP connection, or TLS over one."""

    async def send(self, data: bytes) -> None:
        """Send all the bytes. Raises OSError."""

    async def receive(self) -> bytes:
        """The next bytes. Raises EOFError at the stream's end, OSError."""


async def get(channel: Channel, host: str, path: str, page: WebPage) -> None:
    """Send `GET path` and read the answer into `page`, up to its end, the stream's end or LARGEST bytes.

    `page` holds what has come so far, also when this raises: OSError, EOFError (the stream ended within the head),
    ProtocolFailure for what is not HTTP.
    """
    async with _relayed(channel, page) as (session, relay):
        headers = {"Host": host, **_HEADERS, "Connection": "close"}
        try:
            async with session.get(_url(host, path), headers=headers, allow_redirects=False) as response:
                page.status, page.headers = response.status, relay.head.fields
                relay.head_was_read(response.content)
                async for data in response.content.iter_any():
                    page.body += data
        except _CLIENT_ERRORS as e:
            if page.status is None:
                await relay.read_unparsed()
            elif isinstance(relay.error, OSError):
                raise relay.error from None
            elif not relay.is_full:
                page.is_cut = _INCOMPLETE in str(e)
                if not page.is_cut:
                    raise ProtocolFailure(HTTP_FAILED) from None
        else:
            if isinstance(relay.error, OSError) and not relay.head.ends_before_stream:
                raise relay.error


async def open_web_socket(channel: Channel, host: str, path: str, page: WebPage) -> None:
    """Ask for a web socket that carries binary messages; `page.status` is 101 when it opens. It is not used.

    Any other answer goes into `page`, as far as it comes at once. Raises as `get` does, and ProtocolFailure for an
    answer 101 without the proof that the server understood (RFC 6455 §4.2.2).
    """
    async with _relayed(channel, page) as (session, relay):
        try:
            await session.ws_connect(_url(host, path), headers={"Host": host, **_HEADERS}, protocols=("binary",))
        except _CLIENT_ERRORS:
            await relay.read_unparsed()
            if page.status == 101:
                raise ProtocolFailure(HTTP_FAILED) from None
        else:
            page.status, page.headers = 101, relay.head.fields


class _Relay:
    """Passes one request and its answer between aiohttp's end of a socket pair and a channel."""

    def __init__(self, channel: Channel, page: WebPage) -> None:
        self._channel = channel
        self._page = page
        self._ours, theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs: socket.socket | None = _ConnectedSocket(theirs.family, theirs.type, 0, theirs.detach())
        self._beginning = bytearray()
        self._refusal: ProtocolFailure | None = None
        self.head = ResponseHead()
        self.error: OSError | EOFError | None = None
        """What ended the stream."""
        self.is_full = False
        """Whether LARGEST bytes were read and the rest was left."""
        self._head_read = asyncio.Event()
        self._body: aiohttp.StreamReader | None = None
        self._task = asyncio.create_task(self._run())

    def socket(self, _address: object) -> socket.socket:
        """Aiohttp's end, once. Raises ConnectionError for a second connection, as after a redirect: none is made."""
        if self._theirs is None:
            raise ConnectionError("one request has one connection")
        theirs, self._theirs = self._theirs, None
        return theirs

    def head_was_read(self, body: aiohttp.StreamReader | None = None) -> None:
        """Let the body follow: what is wrong in it would make aiohttp drop a head that came with it."""
        self._body = body
        self._head_read.set()

    async def read_unparsed(self) -> None:
        """Fill the page from the beginning of an answer that aiohttp did not take, after a short wait for its rest.

        Raises what ended the answer, unless its head is complete and the stream ended in order.
        """
        page, head = self._page, self.head
        self.head_was_read()
        try:
            await asyncio.wait({self._task}, timeout=_REST_S)
        finally:
            page.status, page.headers = head.status, head.fields
            if head.status is not None:
                page.body = bytes(self._beginning[head.size :])
            elif self._refusal:
                page.body = bytes(self._beginning)
        if head.status is None:
            raise self._refusal or self.error or ProtocolFailure(HTTP_FAILED)
        if isinstance(self.error, OSError):
            raise self.error

    async def close(self) -> None:
        """Stop, and close both ends that are still open."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._theirs is not None:
            self._theirs.close()

    async def _run(self) -> None:
        """Pass on the request, then the answer, until one side ends or LARGEST bytes have come."""
        watching = None
        try:
            request = await self._request()
            try:
                await self._channel.send(request)
            except OSError as e:
                self.error = e
                return
            watching = asyncio.create_task(self._end_body_when_dropped())
            await self._pass_on_answer()
            self._end_stream()
            await watching
        finally:
            if watching:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
            self._ours.close()

    async def _pass_on_answer(self) -> None:
        try:
            while not self.is_full:
                data = await self._channel.receive()
                self._page.received += len(data)
                self._beginning += data[: max(0, KEPT - len(self._beginning))]
                await self._hand_on(data)
                self.is_full = self._page.received >= LARGEST
        except (OSError, EOFError) as e:
            self.error = e

    def _end_stream(self) -> None:
        """Tell aiohttp that no more follows."""
        with contextlib.suppress(OSError):
            self._ours.shutdown(socket.SHUT_WR)

    async def _end_body_when_dropped(self) -> None:
        """When aiohttp has closed its end and the body has not ended, make reading it fail.

        aiohttp's C parser closes after a wrong chunk and leaves the reader waiting for ever (3.14.5).
        """
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().sock_recv(self._ours, 1)
        if self._body and not self._body.is_eof():
            self._body.set_exception(aiohttp.ClientPayloadError("what follows is no chunk"))

    async def _request(self) -> bytes:
        """The request that aiohttp sends. It has no body."""
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += await asyncio.get_running_loop().sock_recv(self._ours, _READ_SIZE)
        return request

    async def _hand_on(self, data: bytes) -> None:
        """Give a part of the answer to aiohttp, or end its connection when it is not HTTP."""
        if self._refusal:
            return
        try:
            head, body = self.head.feed(data)
        except ProtocolFailure as e:
            self._refusal = e
            self._end_stream()
            return
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # aiohttp has closed its end: it has read all that it needs
            if head:
                await loop.sock_sendall(self._ours, head)
                await self._head_read.wait()
            await loop.sock_sendall(self._ours, body)


class _ConnectedSocket(socket.socket):
    """A socket that is connected already: `connect` does nothing."""

    def connect(self, _address: object) -> None:
        """Do nothing."""


class _NoResolver(AbstractResolver):
    """Resolves nothing: the connection exists already."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """An address that is not connected to."""
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Do nothing."""


@contextlib.asynccontextmanager
async def _relayed(channel: Channel, page: WebPage) -> AsyncIterator[tuple[aiohttp.ClientSession, _Relay]]:
    """A client session whose one connection is relayed to a channel."""
    relay = _Relay(channel, page)
    try:
        connector = aiohttp.TCPConnector(
            resolver=_NoResolver(), socket_factory=relay.socket, happy_eyeballs_delay=None, force_close=True
        )
        async with aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept-Encoding",),
            timeout=aiohttp.ClientTimeout(total=None),
        ) as session:
            yield session, relay
    finally:
        await relay.close()


def _url(host: str, path: str) -> URL:
    """The URL as aiohttp needs it. `http` also over TLS, which the channel adds."""
    return URL.build(
        scheme="http", host=host, path=path.partition("?")[0], query_string=path.partition("?")[2], encoded=True
    )

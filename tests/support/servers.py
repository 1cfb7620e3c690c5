"""Servers on loopback, correct ones and ones with one fault each.

The context managers give the port that they listen on; the handlers are for `tcp`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import hashlib
import socket
import struct
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from probe.net.mtproto import aes_ctr

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
    Cipher = Callable[[bytes], bytes]

LOOPBACK = "127.0.0.1"


class MappedDialer:
    """A dialer that maps the addresses of a test to loopback ports and refuses all others."""

    is_real = False

    def __init__(self, resolver: int = 0) -> None:
        self.ports: dict[tuple[str, int], int] = {}
        self.udp_ports: dict[tuple[str, int], int] = {}
        self.resolver = resolver
        self.dialed: list[tuple[str, int]] = []
        self.ipv6 = False

    def tcp(self, address: str, port: int) -> tuple[str, int]:
        """The loopback port of a test's address."""
        self.dialed.append((address, port))
        if (address, port) not in self.ports:
            raise OSError(101, "not in the test")
        return LOOPBACK, self.ports[address, port]

    def udp(self, address: str, port: int) -> tuple[str, int] | None:
        """The loopback port that answers QUIC for a test's address, or None."""
        mapped = self.udp_ports.get((address, port))
        if mapped is None:
            return None
        self.dialed.append((address, port))
        return LOOPBACK, mapped

    def has_route(self, address: str) -> bool:
        """Whether an address is IPv4, or one of the test's IPv6 addresses; with `ipv6` every address has a route."""
        return self.ipv6 or ":" not in address or any(address == known for known, _ in self.ports)

    def system_resolver(self) -> tuple[str, int]:
        """The test's own resolver."""
        return LOOPBACK, self.resolver


@contextlib.asynccontextmanager
async def tcp(handler: Handler, tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[int]:
    """A TCP server; its connections are aborted when it closes."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        tasks.add(task)
        try:
            with contextlib.suppress(OSError, EOFError):
                await handler(reader, writer)
        finally:
            tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(serve, LOOPBACK, port, ssl=tls, backlog=1024)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def refusing() -> Iterator[int]:
    """A port that nobody listens on, reserved so that no other process gets it."""
    with socket.socket() as sock:
        sock.bind((LOOPBACK, 0))
        yield sock.getsockname()[1]


@contextlib.contextmanager
def unanswering() -> Iterator[int]:
    """A port whose queue of connections is full: a SYN stays unanswered (Linux)."""
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(socket.socket())
        sock.bind((LOOPBACK, 0))
        sock.listen(0)
        for _ in range(2):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(sock.getsockname())
        yield sock.getsockname()[1]


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection with RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def resets_at_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept, then reset."""
    reset(writer)


async def resets_after_reading(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read once, then reset."""
    await reader.read(4096)
    reset(writer)


async def ends_after_reading(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Read once, then close in order."""
    await reader.read(4096)


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Read everything and never answer."""
    while await reader.read(4096):
        pass


def says(*parts: bytes, pause: float = 0.0) -> Handler:
    """Read once, then send these bytes, one part after the other with pauses, and close."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        writer.write_eof()
        await reader.read(1)

    return handle


def opens_web_socket(requests: list[bytes], *, proof: bytes = b"", then: bytes = b"") -> Handler:
    """Open a web socket, with the right proof or with `proof`, send `then`, and note what is received."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        key = next(line for line in requests[-1].split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
        right = base64.b64encode(hashlib.sha1(key.split()[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + (proof or right) + b"\r\n\r\n" + then
        )
        requests.append(await reader.read(100))

    return handle


async def keeps_open(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Wait until the client closes: for tests that need a TLS handshake only."""
    await reader.read(1)


async def telegram(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer req_pq_multi with a resPQ, over the intermediate transport or the obfuscated one."""
    decrypt, encrypt = await transport(reader)
    (length,) = struct.unpack("<I", decrypt(await reader.readexactly(4)))
    message = decrypt(await reader.readexactly(length))
    auth_key, _, size, constructor = struct.unpack_from("<qqiI", message)
    assert (auth_key, size, constructor) == (0, 20, 0xBE7E8EF1)
    writer.write(encrypt(intermediate(res_pq(message[24:40]))))
    await reader.read(1)


async def transport(reader: asyncio.StreamReader) -> tuple[Cipher, Cipher]:
    """Read the beginning of an MTProto connection. Returns functions that decrypt requests and encrypt answers."""
    header = await reader.readexactly(4)
    if header == b"\xee" * 4:
        return bytes, bytes
    header += await reader.readexactly(60)
    reversed_ = header[55:7:-1]
    incoming, outgoing = aes_ctr(header[8:40], header[40:56]), aes_ctr(reversed_[:32], reversed_[32:])
    assert incoming.update(header)[56:60] == b"\xee" * 4
    return incoming.update, outgoing.update


async def cuts_plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never answer the intermediate transport, known by its first bytes; answer the obfuscated one."""
    first = await reader.read(4096)
    if first.startswith(b"\xee" * 4):
        await silent(reader, writer)
    replayed = asyncio.StreamReader()
    replayed.feed_data(first)
    replayed.feed_eof()
    await telegram(replayed, writer)
    await reader.read(1)


def site(body: bytes = b"<title>It is</title>", *, pause: float = 0.0, pieces: int = 1, promised: int = 0) -> Handler:
    """Answer a request with a page in so many pieces, a pause before each; then close.

    `promised` is the Content-Length to send when that is to be more than the page's own.
    """

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % max(len(body), promised))
        size = -(-len(body) // pieces)
        for start in range(0, len(body), size):
            await asyncio.sleep(pause)
            writer.write(body[start : start + size])
            await writer.drain()
        if promised:
            await reader.read(1)

    return handle


def res_pq(nonce: bytes, constructor: int = 0x05162463) -> bytes:
    """An unencrypted message with a resPQ."""
    pq = b"\x08" + b"\x17\xed\x48\x94\x1a\x08\xf9\x81" + b"\0\0\0"
    body = struct.pack("<I", constructor) + nonce + bytes(16) + pq + struct.pack("<IIq", 0x1CB5C415, 1, 7)
    return struct.pack("<qqi", 0, 1, len(body)) + body


def intermediate(message: bytes) -> bytes:
    """A message as the intermediate transport carries it: after its length."""
    return struct.pack("<I", len(message)) + message


Answer = tuple[float, bytes]
"""How many seconds after the query a reply is sent, and the reply."""


def answer(
    query: bytes, *addresses: str, rcode: int = 0, shift: int = 0, ttl: int = 60, truncated: bool = False
) -> bytes:
    """A DNS reply with those of the addresses that are of the queried type; `shift` makes its id wrong."""
    message = dns.message.make_response(dns.message.from_wire(query))
    asked = message.question[0]
    matching = [a for a in addresses if (":" in a) == (asked.rdtype == dns.rdatatype.AAAA)]
    if matching:
        message.answer.append(dns.rrset.from_text_list(asked.name, ttl, "IN", asked.rdtype, matching))
    if truncated:
        message.flags |= dns.flags.TC
    message.set_rcode(rcode)
    message.id = (message.id + shift) % 65536
    return message.to_wire()


@contextlib.asynccontextmanager
async def dns_udp(replies: Callable[[bytes], list[Answer]]) -> AsyncIterator[int]:
    """A resolver over UDP: `replies` gives the replies to a query, and when each is sent."""

    class Resolver(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.DatagramTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            for delay, reply in replies(data):
                loop.call_later(delay, self._send, reply, addr)

        def _send(self, reply: bytes, addr: tuple[str, int]) -> None:
            if not self.transport.is_closing():
                self.transport.sendto(reply, addr)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Resolver, local_addr=(LOOPBACK, 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


@contextlib.asynccontextmanager
async def dns_udp_and_tcp(replies: Callable[[bytes], list[Answer]], tcp_handler: Handler) -> AsyncIterator[int]:
    """A resolver over UDP and TCP on one port: one that is free for UDP may be in use for TCP, so several are tried."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(20):
            port = await stack.enter_async_context(dns_udp(replies))
            with contextlib.suppress(OSError):
                await stack.enter_async_context(tcp(tcp_handler, port=port))
                break
        else:
            raise OSError(errno.EADDRINUSE, "no port is free for both UDP and TCP")
        yield port


def dns_tcp(reply: Callable[[bytes], bytes]) -> Handler:
    """The handler of a resolver over TCP."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        message = reply(await reader.readexactly(length))
        writer.write(struct.pack("!H", len(message)) + message)
        await reader.read(1)

    return handle

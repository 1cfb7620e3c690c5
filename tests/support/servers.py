"""Servers on loopback that behave, and that misbehave in one way each. All are context managers that give a port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING

import dns.message
import dns.rcode
import dns.rrset

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

HERE = "127.0.0.1"


class Map:
    """A dialer that leads the addresses of a test to loopback ports and everything else nowhere."""

    def __init__(self, resolver: int = 0) -> None:
        self.ports: dict[tuple[str, int], int] = {}
        self.resolver = resolver
        self.dialed: list[tuple[str, int]] = []

    def tcp(self, address: str, port: int) -> tuple[str, int]:
        """The loopback port of a test's address."""
        self.dialed.append((address, port))
        if (address, port) not in self.ports:
            raise OSError(101, "not in the test")
        return HERE, self.ports[address, port]

    def system_resolver(self) -> tuple[str, int]:
        """The test's own resolver."""
        return HERE, self.resolver


@contextlib.asynccontextmanager
async def tcp(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A TCP server; its connections are cut off when it closes."""
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

    server = await asyncio.start_server(serve, HERE, 0, ssl=tls, backlog=1024)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def refusing() -> Iterator[int]:
    """A port that nobody listens on, and that nobody else gets."""
    with socket.socket() as sock:
        sock.bind((HERE, 0))
        yield sock.getsockname()[1]


@contextlib.contextmanager
def unanswering() -> Iterator[int]:
    """A port whose queue is full: a SYN stays unanswered (Linux)."""
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(socket.socket())
        sock.bind((HERE, 0))
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
    """Read what comes first, then reset."""
    await reader.read(4096)
    reset(writer)


async def ends_after_reading(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Read what comes first, then close in order."""
    await reader.read(4096)


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Read all that comes and never answer."""
    while await reader.read(4096):
        pass


def says(*parts: bytes, pause: float = 0.0) -> Handler:
    """Read what comes first, then send these bytes, one after the other, and close."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        writer.write_eof()
        await reader.read(1)

    return handle


async def keeps_open(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Behind TLS: the handshake is all that is wanted."""
    await reader.read(1)


async def telegram(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer req_pq_multi over the intermediate transport with a resPQ."""
    assert await reader.readexactly(4) == b"\xee" * 4
    (length,) = struct.unpack("<I", await reader.readexactly(4))
    message = await reader.readexactly(length)
    auth_key, _, size, constructor = struct.unpack_from("<qqiI", message)
    assert (auth_key, size, constructor) == (0, 20, 0xBE7E8EF1)
    writer.write(intermediate(res_pq(message[24:40])))
    await reader.read(1)


def res_pq(nonce: bytes, constructor: int = 0x05162463) -> bytes:
    """An unencrypted message with a resPQ."""
    pq = b"\x08" + b"\x17\xed\x48\x94\x1a\x08\xf9\x81" + b"\0\0\0"
    body = struct.pack("<I", constructor) + nonce + bytes(16) + pq + struct.pack("<IIq", 0x1CB5C415, 1, 7)
    return struct.pack("<qqi", 0, 1, len(body)) + body


def intermediate(message: bytes) -> bytes:
    """A message after its length."""
    return struct.pack("<I", len(message)) + message


Answer = tuple[float, bytes]
"""A reply and how many seconds after the query it goes out."""


def answer(query: bytes, *addresses: str, rcode: int = 0, shift: int = 0, ttl: int = 60) -> bytes:
    """A DNS reply with these A records; `shift` spoils its id."""
    message = dns.message.make_response(dns.message.from_wire(query))
    if addresses:
        message.answer.append(dns.rrset.from_text(message.question[0].name, ttl, "IN", "A", *addresses))
    message.set_rcode(rcode)
    message.id = (message.id + shift) % 65536
    return message.to_wire()


@contextlib.asynccontextmanager
async def dns_udp(replies: Callable[[bytes], list[Answer]]) -> AsyncIterator[int]:
    """A resolver over UDP: `replies` says what goes out for a query, and when."""

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
    transport, _ = await loop.create_datagram_endpoint(Resolver, local_addr=(HERE, 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def dns_tcp(reply: Callable[[bytes], bytes]) -> Handler:
    """A resolver over TCP."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        wire = reply(await reader.readexactly(length))
        writer.write(struct.pack("!H", len(wire)) + wire)
        await reader.read(1)

    return handle

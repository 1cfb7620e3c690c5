"""QUIC on loopback: a real server, faulty ones, and a censor. The context managers give a UDP port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING

from aioquic.asyncio import serve
from aioquic.buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.crypto import CryptoPair
from aioquic.quic.packet import QuicPacketType, encode_quic_version_negotiation, pull_quic_header

from tests.support.servers import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    Answer = Callable[[bytes], list[bytes]]
    Address = tuple[str, int]


@contextlib.asynccontextmanager
async def server(certificate: Path, protocol: str = "h3") -> AsyncIterator[int]:
    """A QUIC server that offers one application protocol (ALPN)."""
    settings = QuicConfiguration(is_client=False, alpn_protocols=[protocol])
    settings.load_cert_chain(certificate)
    running = await serve(LOOPBACK, 0, configuration=settings)
    try:
        yield running._transport.get_extra_info("sockname")[1]
    finally:
        running.close()


@contextlib.asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[int]:
    """Answer each datagram with those that `answer` returns for it."""

    class Answering(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.DatagramTransport) -> None:
            self._transport = transport

        def datagram_received(self, data: bytes, source: Address) -> None:
            for reply in answer(data):
                self._transport.sendto(reply, source)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Answering, (LOOPBACK, 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """A port that receives everything and never answers; it needs no event loop."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((LOOPBACK, 0))
        yield sock.getsockname()[1]


@contextlib.contextmanager
def refusing() -> Iterator[int]:
    """A port that answers with ICMP, since its socket is connected to another peer; no other process gets it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((LOOPBACK, 0))
        sock.connect((LOOPBACK, 9))
        yield sock.getsockname()[1]


def noise(_: bytes) -> list[bytes]:
    """Random datagrams."""
    return [os.urandom(n) for n in (1, 40, 1200)]


def another_version(data: bytes) -> list[bytes]:
    """A Version Negotiation packet that offers only an unknown version (RFC 9000 §17.2.1)."""
    header = pull_quic_header(Buffer(data=data), host_cid_length=8)
    return [
        encode_quic_version_negotiation(
            source_cid=header.destination_cid, destination_cid=header.source_cid, supported_versions=[0x1A2A3A4A]
        )
    ]


@contextlib.asynccontextmanager
async def name_filter(port: int, name: str) -> AsyncIterator[int]:
    """A censor before a server: forward datagrams until this server name is in an Initial; then drop all of them."""
    upstream: dict[Address, asyncio.DatagramTransport] = {}
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    class NameFilter(asyncio.DatagramProtocol):
        is_blocking = False

        def connection_made(self, transport: asyncio.DatagramTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, source: Address) -> None:
            self.is_blocking = self.is_blocking or name.encode() in _initial_payload(data)
            if not self.is_blocking:
                task = loop.create_task(self.forward(data, source))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

        async def forward(self, data: bytes, source: Address) -> None:
            if source not in upstream:
                client_side = self.transport

                class Return(asyncio.DatagramProtocol):
                    def datagram_received(self, data: bytes, _: Address) -> None:
                        client_side.sendto(data, source)

                upstream[source], _ = await loop.create_datagram_endpoint(Return, remote_addr=(LOOPBACK, port))
            upstream[source].sendto(data)

    transport, _ = await loop.create_datagram_endpoint(NameFilter, (LOOPBACK, 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
        for other in upstream.values():
            other.close()


def _initial_payload(data: bytes) -> bytes:
    """The decrypted payload of an Initial; its keys follow from its unencrypted header (RFC 9001 §5.2)."""
    buffer = Buffer(data=data)
    header = pull_quic_header(buffer, host_cid_length=8)
    if header.packet_type != QuicPacketType.INITIAL or not data:
        return b""
    keys = CryptoPair()
    keys.setup_initial(cid=header.destination_cid, is_client=False, version=header.version)
    with contextlib.suppress(Exception):  # a later Initial has the server's connection id, but keys from the first one
        return keys.decrypt_packet(data[: header.packet_length], buffer.tell(), 0)[1]
    return b""

"""QUIC on loopback: a real server, and what can stand before it. All are context managers that give a UDP port."""

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

from tests.support.servers import HERE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    Answer = Callable[[bytes], list[bytes]]
    Address = tuple[str, int]


@contextlib.asynccontextmanager
async def server(certificate: Path, protocol: str = "h3") -> AsyncIterator[int]:
    """A QUIC server that offers one protocol."""
    settings = QuicConfiguration(is_client=False, alpn_protocols=[protocol])
    settings.load_cert_chain(certificate)
    running = await serve(HERE, 0, configuration=settings)
    try:
        yield running._transport.get_extra_info("sockname")[1]
    finally:
        running.close()


@contextlib.asynccontextmanager
async def says(answer: Answer) -> AsyncIterator[int]:
    """Answers each datagram with these."""

    class Says(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.DatagramTransport) -> None:
            self._transport = transport

        def datagram_received(self, data: bytes, source: Address) -> None:
            for said in answer(data):
                self._transport.sendto(said, source)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Says, (HERE, 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """A port that hears everything and never answers; it needs no event loop."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HERE, 0))
        yield sock.getsockname()[1]


@contextlib.contextmanager
def refusing() -> Iterator[int]:
    """A port that nobody else gets and that answers with ICMP: its socket hears another peer only."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HERE, 0))
        sock.connect((HERE, 9))
        yield sock.getsockname()[1]


def noise(_: bytes) -> list[bytes]:
    """Datagrams that are nothing."""
    return [os.urandom(n) for n in (1, 40, 1200)]


def another_version(data: bytes) -> list[bytes]:
    """Version Negotiation that leaves nothing to choose (RFC 9000 §17.2.1)."""
    header = pull_quic_header(Buffer(data=data), host_cid_length=8)
    return [
        encode_quic_version_negotiation(
            source_cid=header.destination_cid, destination_cid=header.source_cid, supported_versions=[0x1A2A3A4A]
        )
    ]


@contextlib.asynccontextmanager
async def middle(port: int, name: str) -> AsyncIterator[int]:
    """Passes datagrams on to a server until it reads this server name in an Initial; from then on it drops them all."""
    onward: dict[Address, asyncio.DatagramTransport] = {}
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    class Middle(asyncio.DatagramProtocol):
        cut = False

        def connection_made(self, transport: asyncio.DatagramTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, source: Address) -> None:
            self.cut = self.cut or name.encode() in _opened(data)
            if not self.cut:
                task = loop.create_task(self.forward(data, source))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

        async def forward(self, data: bytes, source: Address) -> None:
            if source not in onward:
                back = self

                class Back(asyncio.DatagramProtocol):
                    def datagram_received(self, data: bytes, _: Address) -> None:
                        back.transport.sendto(data, source)

                onward[source], _ = await loop.create_datagram_endpoint(Back, remote_addr=(HERE, port))
            onward[source].sendto(data)

    transport, _ = await loop.create_datagram_endpoint(Middle, (HERE, 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
        for other in onward.values():
            other.close()


def _opened(data: bytes) -> bytes:
    """What an Initial says: its keys follow from what stands open in it (RFC 9001 §5.2)."""
    buffer = Buffer(data=data)
    header = pull_quic_header(buffer, host_cid_length=8)
    if header.packet_type != QuicPacketType.INITIAL or not data:
        return b""
    keys = CryptoPair()
    keys.setup_initial(cid=header.destination_cid, is_client=False, version=header.version)
    with contextlib.suppress(Exception):  # a later Initial goes by the server's own id, and its keys by the first
        return keys.decrypt_packet(data[: header.packet_length], buffer.tell(), 0)[1]
    return b""

"""The probe's MTProto transports against Telethon's: each side reads what the other sends."""

from __future__ import annotations

import asyncio
import struct

import pytest
from telethon.crypto import AESModeCTR
from telethon.extensions import BinaryReader
from telethon.network.connection.tcpintermediate import IntermediatePacketCodec
from telethon.tl.functions import ReqPqMultiRequest
from telethon.tl.types import ResPQ

from tests.support import servers

ADDRESS = "198.51.100.1"


class Deobfuscated:
    """A server's end of the obfuscated transport, with Telethon's own ciphers."""

    def __init__(self, reader, header):
        reversed_ = header[55:7:-1]
        self._reader = reader
        self._incoming = AESModeCTR(header[8:40], header[40:56])
        self.encrypt = AESModeCTR(reversed_[:32], reversed_[32:48]).encrypt
        self.tag = self._incoming.decrypt(header)[56:60]

    async def readexactly(self, n):
        """Read exactly `n` decrypted bytes, as a stream reader does."""
        return self._incoming.decrypt(await self._reader.readexactly(n))


async def datacentre(reader, writer):
    """Read the probe's request with Telethon's codec and types, and answer with Telethon's ResPQ."""
    codec = IntermediatePacketCodec(None)
    start, source, encrypt = await reader.readexactly(4), reader, bytes
    if start != codec.tag:
        source = Deobfuscated(reader, start + await reader.readexactly(60))
        assert source.tag == codec.obfuscate_tag
        encrypt = source.encrypt
    packet = await codec.read_packet(source)
    assert struct.unpack("<qqi", packet[:20])[::2] == (0, 20)
    request = BinaryReader(packet[20:]).tgread_object()
    assert isinstance(request, ReqPqMultiRequest)
    body = bytes(ResPQ(request.nonce, 7, b"\x17\xed\x48\x94\x1a\x08\xf9\x81", [1, 2]))
    writer.write(encrypt(codec.encode_packet(struct.pack("<qqi", 0, 5, len(body)) + body)))
    await reader.read(1)


@pytest.mark.parametrize("transport", ["intermediate", "obfuscated"])
async def test_the_probe_and_telethon_understand_each_other(network, dialer, clock, transport):
    """The exchange succeeds over both transports."""
    async with servers.tcp(datacentre) as port:
        dialer.ports[ADDRESS, 443] = port
        with await network.connect("dc1", ADDRESS, 443, limit=5.0, clock=clock) as connection:
            await connection.exchange(transport)
        assert [(s.op, s.failure) for s in connection.steps] == [("connect", None), ("exchange", None)]


async def test_many_random_headers_are_understood(network, dialer, clock):
    """Thirty connections at once."""
    async with servers.tcp(datacentre) as port:
        dialer.ports[ADDRESS, 443] = port

        async def one():
            with await network.connect("dc1", ADDRESS, 443, limit=5.0, clock=clock) as connection:
                await connection.exchange("obfuscated")
            return connection.failed

        assert not any(await asyncio.gather(*(one() for _ in range(30))))

"""Telethon's client accepts the answers of the lab's datacentres, over every transport."""

from __future__ import annotations

import asyncio
import collections
import logging
import os

import pytest
from telethon.network.connection import (
    ConnectionTcpAbridged,
    ConnectionTcpIntermediate,
    ConnectionTcpObfuscated,
)
from telethon.network.connection.tcpintermediate import IntermediatePacketCodec
from telethon.network.mtprotoplainsender import MTProtoPlainSender
from telethon.tl.functions import ReqPqMultiRequest

from infra.lab.servers.listener import LOOPBACK, Listener
from infra.lab.servers.responders import Mtproto

LOGGERS = collections.defaultdict(lambda: logging.getLogger("telethon"))


class ConnectionTcpObfuscatedIntermediate(ConnectionTcpObfuscated):
    """What the probe uses: Telethon's obfuscation around its intermediate transport."""

    packet_codec = IntermediatePacketCodec


@pytest.mark.parametrize(
    "transport",
    [
        ConnectionTcpIntermediate,
        ConnectionTcpAbridged,
        ConnectionTcpObfuscated,
        ConnectionTcpObfuscatedIntermediate,
    ],
)
async def test_telethon_accepts_the_labs_res_pq(transport):
    """The answer has its nonce and a product of two primes; twice on one connection."""
    listener = Listener(asyncio.get_running_loop(), Mtproto)
    connection = transport(LOOPBACK, listener.port, 2, loggers=LOGGERS)
    try:
        await connection.connect(timeout=5)
        sender = MTProtoPlainSender(connection, loggers=LOGGERS)
        for _ in range(2):
            nonce = int.from_bytes(os.urandom(16), "little", signed=True)
            answer = await asyncio.wait_for(sender.send(ReqPqMultiRequest(nonce)), 5)
            assert answer.nonce == nonce
            assert any(int.from_bytes(answer.pq, "big") % p == 0 for p in Mtproto.PRIMES)
            assert answer.server_public_key_fingerprints == [Mtproto.FINGERPRINT]
    finally:
        await connection.disconnect()
        listener.close()

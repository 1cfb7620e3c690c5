"""One QUIC handshake that offers HTTP/3, where the extra `http3` is installed.

aioquic brings the protocol and no sockets: the datagrams go over a Wire, so that the socket's own errors are seen and
bytes are counted. Only what is called here loads it; a probe calls it in another process (`probe.net.quic_process`).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from probe.net import failures
from probe.net.failures import ProtocolFailure

if TYPE_CHECKING:
    from aioquic.quic.connection import QuicConnection

    from probe.net.counted_socket import CountedSocket

_HTTP3 = "h3"
"""The protocol's name in ALPN (RFC 9114 §3.1)."""
_FIRST_RTT_S = 0.5
"""What is taken for a round trip before one was seen. aioquic doubles it: what goes unanswered is sent again after a
second (RFC 9002 §6.2.2), then after two and four. Its own 0.1 sends more of these 1,200 bytes into silence."""
_PEER = ("", 443)
"""The socket hears one peer only, and aioquic need not know which."""
_ALERTS = range(0x100, 0x200)
"""Errors of QUIC that carry an alert of TLS (RFC 9001 §4.8)."""
_NO_VERSION = "protocol version"
"""In the reason that aioquic gives where the server speaks no version of ours."""


def is_there() -> bool:
    """Whether the extra is installed and can be loaded; it then is."""
    try:
        import aioquic.quic.connection  # noqa: F401, PLC0415 - an extra, and 4 MB
    except ImportError:
        return False
    return True


async def shake(wire: CountedSocket, name: str) -> list[bytes]:
    """Shake hands under a server name. The chain that was shown, in DER, the leaf first.

    Nothing is verified: a wrong certificate is a fact to record. Raises OSError, and Failed where either side gives
    up: a server that has no HTTP/3 to offer does (ssl_failed_handshake). In silence it waits for ever.
    """
    logging.getLogger("quic").disabled = True  # it would repeat what a server said
    now = asyncio.get_running_loop().time
    connection = _connection(name)
    connection.connect(_PEER, now())
    while not _completed(connection):
        await _send(wire, connection, now())
        try:
            async with asyncio.timeout_at(connection.get_timer()):
                data = await wire.receive()
        except TimeoutError:
            connection.handle_timer(now())
        else:
            _take(connection, data, now())
    await _send(wire, connection, now())
    connection.close()
    await _send(wire, connection, now())
    return _chain(connection)


def _connection(name: str) -> QuicConnection:
    from aioquic.quic.configuration import QuicConfiguration  # noqa: PLC0415 - an extra
    from aioquic.quic.connection import QuicConnection  # noqa: PLC0415
    from aioquic.quic.packet import QuicProtocolVersion  # noqa: PLC0415

    return QuicConnection(
        configuration=QuicConfiguration(
            server_name=name,
            alpn_protocols=[_HTTP3],
            verify_mode=0,  # ssl.CERT_NONE: a wrong certificate is a fact
            initial_rtt=_FIRST_RTT_S,
            supported_versions=[QuicProtocolVersion.VERSION_1],
        )
    )


def _completed(connection: QuicConnection) -> bool:
    """Whether the handshake is done. Raises Failed when either side gave up."""
    from aioquic.quic.events import HandshakeCompleted  # noqa: PLC0415 - an extra

    while event := connection.next_event():
        if isinstance(event, HandshakeCompleted):
            return True
    closed = connection._close_event  # noqa: SLF001 - the public event comes only after a closing period, of seconds
    if closed is None:
        return False
    if closed.error_code in _ALERTS:
        raise ProtocolFailure(failures.SSL_FAILED_HANDSHAKE)
    if _NO_VERSION in closed.reason_phrase:
        raise ProtocolFailure(failures.QUIC_VERSION)
    raise ProtocolFailure(failures.unknown(f"QUIC closed with {closed.error_code:#x}"))


def _take(connection: QuicConnection, data: bytes, now: float) -> None:
    try:
        connection.receive_datagram(data, _PEER, now)
    except Exception as e:
        raise ProtocolFailure(failures.unknown(f"QUIC: {type(e).__name__}")) from e  # over what somebody sent: a fact


async def _send(wire: CountedSocket, connection: QuicConnection, now: float) -> None:
    for data, _ in connection.datagrams_to_send(now):
        await wire.send(data)


def _chain(connection: QuicConnection) -> list[bytes]:
    tls = connection.tls
    leaf, rest = tls._peer_certificate, tls._peer_certificate_chain  # noqa: SLF001 - there is no public way to them
    assert leaf is not None
    return [c.public_bytes(Encoding.DER) for c in (leaf, *rest)]

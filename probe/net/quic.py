"""One QUIC handshake that offers HTTP/3, where the extra `http3` is installed.

aioquic implements the protocol without sockets: the datagrams go over a CountedSocket, so that the socket's own errors
are seen and bytes are counted. aioquic is loaded when a function here is called, which a probe does in another process
(`probe.net.quic_process`).
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
"""The assumed round trip before one was measured. aioquic doubles it: an unanswered datagram is sent again after a
second (RFC 9002 §6.2.2), then after two and four. Its default of 0.1 would resend these 1,200 bytes more often."""
_PEER = ("", 443)
"""A placeholder: the socket receives from one peer only, and aioquic need not know which."""
_ALERTS = range(0x100, 0x200)
"""QUIC error codes that carry a TLS alert (RFC 9001 §4.8)."""
_NO_VERSION = "protocol version"
"""Part of the reason that aioquic gives when the server supports no version of ours."""


def can_load() -> bool:
    """Whether the extra is installed and works. This loads it."""
    try:
        import aioquic.quic.connection  # noqa: F401, PLC0415 - an extra, and 4 MB
    except ImportError:
        return False
    return True


async def handshake(sock: CountedSocket, name: str) -> list[bytes]:
    """Make a QUIC handshake with a server name. Returns the presented chain in DER, the leaf first.

    Nothing is verified: a wrong certificate is a fact to record. Raises OSError, and ProtocolFailure when either side
    gives up, as a server without HTTP/3 does (ssl_failed_handshake). Without an answer it never returns: the caller
    sets a timeout.
    """
    logging.getLogger("quic").disabled = True  # it would log text that a server sent
    now = asyncio.get_running_loop().time
    connection = _connection(name)
    connection.connect(_PEER, now())
    while not _is_completed(connection):
        await _send(sock, connection, now())
        try:
            async with asyncio.timeout_at(connection.get_timer()):
                data = await sock.receive()
        except TimeoutError:
            connection.handle_timer(now())
        else:
            _take(connection, data, now())
    await _send(sock, connection, now())
    connection.close()
    await _send(sock, connection, now())
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


def _is_completed(connection: QuicConnection) -> bool:
    """Whether the handshake is complete. Raises ProtocolFailure when either side gave up."""
    from aioquic.quic.events import HandshakeCompleted  # noqa: PLC0415 - an extra

    while event := connection.next_event():
        if isinstance(event, HandshakeCompleted):
            return True
    closed = connection._close_event  # noqa: SLF001 - the public event comes seconds later, after the closing period
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
        # aioquic failed on data that somebody sent: a fact about the network, not a bug of ours.
        raise ProtocolFailure(failures.unknown(f"QUIC: {type(e).__name__}")) from e


async def _send(sock: CountedSocket, connection: QuicConnection, now: float) -> None:
    for data, _ in connection.datagrams_to_send(now):
        await sock.send(data)


def _chain(connection: QuicConnection) -> list[bytes]:
    tls = connection.tls
    leaf, rest = tls._peer_certificate, tls._peer_certificate_chain  # noqa: SLF001 - they have no public accessor
    assert leaf is not None
    return [c.public_bytes(Encoding.DER) for c in (leaf, *rest)]

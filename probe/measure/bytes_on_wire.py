"""Estimates of bytes on the wire, which is what a provider counts against a volunteer's data cap.

A step records its payload. The packets around it, which no socket shows, are estimated by the constants below.
Retransmissions are not included, so a bad line takes more than this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.protocol.measurement import Measurement, Step

PACKET = 52
"""Bytes of headers on a TCP packet: 20 of IPv4 (RFC 791), 20 of TCP (RFC 9293), 12 of the timestamp option (RFC 7323).
IPv6 has 20 more."""
DATAGRAM = 28
"""Bytes of headers on a UDP packet over IPv4 (RFC 768)."""
QUIC_DATAGRAM = 1200
"""Payload of a datagram of QUIC's handshake: the size that it is padded to (RFC 9000 §14.1)."""
MSS = 1448
"""Payload of a full TCP packet: Ethernet's 1,500 bytes less the headers."""
OPEN_AND_CLOSE = 7 * PACKET + 2 * 8
"""SYN, SYN-ACK, ACK; then FIN, FIN and their acknowledgements. Both SYNs carry 8 more bytes of options."""
TLS_HANDSHAKE = 5200
"""A TLS 1.3 handshake with a usual chain (two ECDSA or RSA certificates), both directions, packets included."""
NATS_SESSION = 1600
"""NATS' greeting (INFO, CONNECT, PING, PONG), subscription and goodbye, both directions, packets included."""
RECORD = 29
"""A TLS 1.3 record around a message: 5 of header, 1 of type, 16 of tag (RFC 8446), and an assumed 7 of padding."""
HTTPS_HANDSHAKE = OPEN_AND_CLOSE + TLS_HANDSHAKE
"""A TCP connection with a TLS handshake, both directions."""
LOOKUP = 2 * DATAGRAM + 150
"""A question to the system's resolver over UDP and its answer."""


def wire_bytes(measurements: Iterable[Measurement]) -> int:
    """Bytes of a run on the wire, both directions. Control steps, which every measurement repeats, count once."""
    steps = [s for m in measurements for s in m.steps]
    control = {s for s in steps if s.part == "control"}
    return sum(map(of_step, control)) + sum(of_step(s) for s in steps if s.part != "control")


def of_step(step: Step) -> int:
    """Bytes of one step on the wire, both directions."""
    payload = step.sent + step.received
    if step.op == "connect":
        return OPEN_AND_CLOSE + payload
    if step.op == "resolve" and step.via in ("system", "system6"):
        return payload + DATAGRAM * max(2, 1 + len(step.replies))
    if step.op == "quic":
        return payload + DATAGRAM * (-(-step.sent // QUIC_DATAGRAM) + -(-step.received // QUIC_DATAGRAM))
    opening = OPEN_AND_CLOSE if step.op == "resolve" else 0  # the second resolver is asked over TCP
    return opening + stream(step.sent) + stream(step.received)


def stream(payload: int) -> int:
    """Bytes that a payload takes in one direction of an open connection, acknowledgements included."""
    packets = -(-payload // MSS)
    return payload + packets * PACKET + -(-packets // 2) * PACKET


def delivery_bytes(payload: int, messages: int, *, tls: bool) -> int:
    """Bytes of one connection to a collector with this payload in this many messages, receipts included."""
    handshake = TLS_HANDSHAKE if tls else 0
    return OPEN_AND_CLOSE + handshake + NATS_SESSION + messages * (RECORD + 2 * PACKET) + stream(payload)

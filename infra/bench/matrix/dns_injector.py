"""Answers DNS queries in the resolver's place, beside the true answer: what a censor on the way does.

`python -m infra.bench.matrix.dns_injector --interface NAME --host NAME --address IP` sees each query for the host
pass and sends a forged reply under the resolver's address. The true reply comes too, a little later.
"""

from __future__ import annotations

import argparse
import socket
import struct

import dns.exception
import dns.flags
import dns.message
import dns.rrset

_ETH_IPV4 = 0x0800
_IP = struct.Struct("!BBHHHBBH4s4s")
_UDP = struct.Struct("!HHHH")


def forged(packet: bytes, host: str, address: str) -> tuple[bytes, str] | None:
    """The IPv4 packet that answers a query for the host, and whom it goes to; None for any other packet."""
    head = (packet[0] & 15) * 4
    *_, protocol, _checksum, source, destination = _IP.unpack_from(packet)
    if protocol != socket.IPPROTO_UDP or len(packet) < head + _UDP.size:
        return None
    from_port, to_port, _length, _sum = _UDP.unpack_from(packet, head)
    if to_port != 53:
        return None
    try:
        query = dns.message.from_wire(packet[head + _UDP.size :])
    except (dns.exception.DNSException, ValueError):
        return None
    if query.flags & dns.flags.QR or query.question[0].name.to_text(omit_final_dot=True) != host:
        return None
    reply = dns.message.make_response(query)
    reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", address))
    body = reply.to_wire()
    udp = _UDP.pack(53, from_port, _UDP.size + len(body), 0) + body  # no checksum: IPv4 allows it
    ip = _IP.pack(0x45, 0, _IP.size + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0, destination, source)
    return ip + udp, socket.inet_ntoa(source)


def main() -> None:
    """Listen until killed."""
    parser = argparse.ArgumentParser()
    for name in ("--interface", "--host", "--address"):
        parser.add_argument(name, required=True)
    given = parser.parse_args()
    ear = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_IPV4))
    ear.bind((given.interface, _ETH_IPV4))
    mouth = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    print("{}", flush=True)  # noqa: T201 - whoever started it waits for this
    while True:
        packet, (_, _, kind, *_) = ear.recvfrom(2048)
        if kind == socket.PACKET_OUTGOING:
            continue
        made = forged(packet, given.host, given.address)
        if made:
            mouth.sendto(made[0], (made[1], 0))


if __name__ == "__main__":
    main()

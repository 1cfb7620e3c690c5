"""Injects forged DNS replies, as a censor's middlebox does.

`python -m infra.bench.matrix.dns_injector --interface NAME --host NAME --address IP` observes the queries for the host
and sends a forged reply from the resolver's address. The true reply arrives too, a little later.
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
    """The IPv4 packet that answers a DNS query for the host, and its destination; None for any other packet."""
    header_length = (packet[0] & 15) * 4
    *_, protocol, _checksum, source, destination = _IP.unpack_from(packet)
    if protocol != socket.IPPROTO_UDP or len(packet) < header_length + _UDP.size:
        return None
    from_port, to_port, _length, _sum = _UDP.unpack_from(packet, header_length)
    if to_port != 53:
        return None
    try:
        query = dns.message.from_wire(packet[header_length + _UDP.size :])
    except (dns.exception.DNSException, ValueError):
        return None
    if query.flags & dns.flags.QR or query.question[0].name.to_text(omit_final_dot=True) != host:
        return None
    reply = dns.message.make_response(query)
    reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", address))
    body = reply.to_wire()
    udp = _UDP.pack(53, from_port, _UDP.size + len(body), 0) + body  # checksum 0 means none, which IPv4 allows
    ip = _IP.pack(0x45, 0, _IP.size + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0, destination, source)
    return ip + udp, socket.inet_ntoa(source)


def main() -> None:
    """Inject replies until killed."""
    parser = argparse.ArgumentParser()
    for name in ("--interface", "--host", "--address"):
        parser.add_argument(name, required=True)
    options = parser.parse_args()
    capture = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_IPV4))
    capture.bind((options.interface, _ETH_IPV4))
    sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    print("{}", flush=True)  # noqa: T201 - tells the parent that this process is ready
    while True:
        packet, (_, _, kind, *_) = capture.recvfrom(2048)
        if kind == socket.PACKET_OUTGOING:
            continue
        if forgery := forged(packet, options.host, options.address):
            reply, client = forgery
            sender.sendto(reply, (client, 0))


if __name__ == "__main__":
    main()

"""Asks the Linux kernel for the route to an address, over rtnetlink."""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


# linux/rtnetlink.h and linux/netlink.h
_GET_ROUTE, _NEW_ROUTE, _REQUEST = 26, 24, 1
_DESTINATION, _OUT, _GATEWAY, _SOURCE = 1, 4, 5, 7
_HEADER = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")


class Route(NamedTuple):
    """The IP version, the interface ("" where the system does not tell), the gateway ("" on the link), our address."""

    family: int
    interface: str
    gateway: str
    source: str


def _asked(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Route | None:
    """Ask the kernel for the route to an address. None where there is none. Raises OSError where it can't be asked."""
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    body = _ROUTE.pack(family, ip.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
    body += _ATTRIBUTE.pack(_ATTRIBUTE.size + len(ip.packed), _DESTINATION) + ip.packed
    question = _HEADER.pack(_HEADER.size + len(body), _GET_ROUTE, _REQUEST, 1, 0) + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.settimeout(1.0)
        kernel.send(question)
        answer = kernel.recv(8192)
    if _HEADER.unpack_from(answer)[1] != _NEW_ROUTE:
        return None
    found = dict(_attributes(answer[_HEADER.size + _ROUTE.size :]))
    index = struct.unpack("=I", found[_OUT])[0] if _OUT in found else 0
    name = socket.if_indextoname(index) if index else ""
    return (
        None if name == "lo" else Route(ip.version, name, _written(found.get(_GATEWAY)), _written(found.get(_SOURCE)))
    )


def _attributes(raw: bytes) -> Iterator[tuple[int, bytes]]:
    while len(raw) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(raw)
        if length < _ATTRIBUTE.size:
            return
        yield kind, raw[_ATTRIBUTE.size : length]
        raw = raw[(length + 3) // 4 * 4 :]


def _written(packed: bytes | None) -> str:
    return str(ipaddress.ip_address(packed)) if packed else ""

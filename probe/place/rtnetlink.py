"""Asks the Linux kernel for the route to an address, over rtnetlink."""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


# Message types, flags and attributes of linux/rtnetlink.h and linux/netlink.h.
_GET_ROUTE, _NEW_ROUTE, _REQUEST = 26, 24, 1
_DESTINATION, _OUT, _GATEWAY, _SOURCE = 1, 4, 5, 7
_HEADER = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")


class Route(NamedTuple):
    """How packets to one destination leave this machine."""

    family: int
    """IP version: 4 or 6."""
    interface: str
    """"" where the operating system does not tell it."""
    gateway: str
    """"" for a destination on the link."""
    source: str
    """This machine's own address on the route."""


def query_route(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Route | None:
    """Ask the kernel for the route to an address. None without a route or for one over loopback.

    Raises OSError where the kernel can't be asked.
    """
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    body = _ROUTE.pack(family, ip.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
    body += _ATTRIBUTE.pack(_ATTRIBUTE.size + len(ip.packed), _DESTINATION) + ip.packed
    request = _HEADER.pack(_HEADER.size + len(body), _GET_ROUTE, _REQUEST, 1, 0) + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.settimeout(1.0)
        kernel.send(request)
        answer = kernel.recv(8192)
    if _HEADER.unpack_from(answer)[1] != _NEW_ROUTE:
        return None
    attributes = dict(_attributes(answer[_HEADER.size + _ROUTE.size :]))
    index = struct.unpack("=I", attributes[_OUT])[0] if _OUT in attributes else 0
    interface = socket.if_indextoname(index) if index else ""
    if interface == "lo":
        return None
    return Route(ip.version, interface, _text(attributes.get(_GATEWAY)), _text(attributes.get(_SOURCE)))


def _attributes(raw: bytes) -> Iterator[tuple[int, bytes]]:
    while len(raw) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(raw)
        if length < _ATTRIBUTE.size:
            return
        yield kind, raw[_ATTRIBUTE.size : length]
        raw = raw[(length + 3) // 4 * 4 :]


def _text(packed: bytes | None) -> str:
    return str(ipaddress.ip_address(packed)) if packed else ""

"""The addresses and the name of this machine, which must stand in nothing that leaves it."""

from __future__ import annotations

import functools
import ipaddress
import re
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


_SHORTEST_NAME = 4
"""A machine's name that is shorter stands in too many words by chance."""


def own_names() -> re.Pattern[str] | None:
    """This machine's addresses on its default routes and its host name, in the ways they get written; None if none.

    Nothing is sent to learn them.
    """
    forms = {form for address in _own_addresses() for form in _forms(address)}
    host = socket.gethostname()
    if len(host) >= _SHORTEST_NAME and not host.startswith("localhost"):
        forms.add(host)
    return _any_of(frozenset(forms)) if forms else None


def own_address(family: socket.AddressFamily) -> str:
    """This machine's address on its default route; "" when it has no such route."""
    # A datagram socket that is connected only looks the route up. Nobody has these documentation addresses.
    elsewhere = "192.0.2.1" if family == socket.AF_INET else "2001:db8::1"
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((elsewhere, 9))
            return str(sock.getsockname()[0])
    except OSError:
        return ""


@functools.lru_cache(maxsize=8)
def _any_of(forms: frozenset[str]) -> re.Pattern[str]:
    alternatives = "|".join(re.escape(f) for f in sorted(forms))
    return re.compile(rf"(?<![0-9a-z])(?:{alternatives})(?![0-9a-z])", re.IGNORECASE)


def _own_addresses() -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    for family in (socket.AF_INET, socket.AF_INET6):
        if found := own_address(family):
            address = ipaddress.ip_address(found.partition("%")[0])
            if not address.is_loopback:
                yield address


def _forms(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> tuple[str, ...]:
    """An address as text, as in a host name, as hexadecimal and decimal number, and turned round as in DNS."""
    written = str(address)
    dashed = written.replace(".", "-").replace(":", "-")
    turned = address.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
    return written, address.exploded, dashed, address.packed.hex(), str(int(address)), turned

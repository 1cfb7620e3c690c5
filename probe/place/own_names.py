"""This machine's own addresses and host name, which nothing that leaves it may contain."""

from __future__ import annotations

import functools
import ipaddress
import re
import socket
from typing import TYPE_CHECKING

from probe.net.dialer import source_address
from probe.place.routes import ELSEWHERE, ELSEWHERE6

if TYPE_CHECKING:
    from collections.abc import Iterator


_SHORTEST_NAME = 4
"""A shorter host name would be found in too many words by chance."""


def own_names() -> re.Pattern[str] | None:
    """A pattern of this machine's addresses on its default routes and of its host name, in all notations; None if none.

    Nothing is sent to find them out.
    """
    forms = {form for address in _own_addresses() for form in _forms(address)}
    host = socket.gethostname()
    if len(host) >= _SHORTEST_NAME and not host.startswith("localhost"):
        forms.add(host)
    return _any_of(frozenset(forms)) if forms else None


def own_address(family: socket.AddressFamily) -> str:
    """This machine's address on its default route; "" when it has no such route."""
    return source_address(ELSEWHERE if family == socket.AF_INET else ELSEWHERE6)


@functools.lru_cache(maxsize=8)
def _any_of(forms: frozenset[str]) -> re.Pattern[str]:
    alternatives = "|".join(re.escape(f) for f in sorted(forms))
    return re.compile(rf"(?<![0-9a-z])(?:{alternatives})(?![0-9a-z])", re.IGNORECASE)


def _own_addresses() -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    for family in (socket.AF_INET, socket.AF_INET6):
        if text := own_address(family):
            address = ipaddress.ip_address(text.partition("%")[0])
            if not address.is_loopback:
                yield address


def _forms(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> tuple[str, ...]:
    """An address as text, as in host names, as hexadecimal and decimal number, and reversed as in DNS."""
    text = str(address)
    dashed = text.replace(".", "-").replace(":", "-")
    reversed_ = address.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
    return text, address.exploded, dashed, address.packed.hex(), str(int(address)), reversed_

"""Where a connection really goes: the interface behind which a lab puts its simulated country."""

from __future__ import annotations

import errno
import socket
from typing import Protocol


class Dialer(Protocol):
    """Translates a service's addresses into those that are really contacted."""

    @property
    def is_real(self) -> bool:
        """Whether addresses are contacted as they are, so that this machine's routes and networks apply."""

    def tcp(self, address: str, port: int) -> tuple[str, int]:
        """The IP address and port to connect to for a service's. Raises OSError for what must not be contacted."""

    def udp(self, address: str, port: int) -> tuple[str, int] | None:
        """The same for QUIC's datagrams; None where nothing answers QUIC (as in the lab), so that it isn't tested."""

    def system_resolver(self) -> tuple[str, int]:
        """The IP address and port of this machine's resolver, asked over UDP. Raises OSError when there is none."""

    def has_route(self, address: str) -> bool:
        """Whether this machine has a route to an address; nothing is sent. Many lines have none for IPv6."""


class RealDialer:
    """The internet as it is."""

    is_real = True

    def has_route(self, address: str) -> bool:
        """Whether the routing table has a route to an address."""
        return bool(source_address(address))

    def tcp(self, address: str, port: int) -> tuple[str, int]:
        """The service's own address."""
        return address, port

    def udp(self, address: str, port: int) -> tuple[str, int] | None:
        """The service's own address."""
        return address, port

    def system_resolver(self) -> tuple[str, int]:
        """The first resolver in this machine's configuration, which is read at each call: networks change."""
        import dns.resolver  # noqa: PLC0415 - a large import, which the lab never needs

        try:
            servers = dns.resolver.Resolver().nameservers
        except dns.resolver.NoResolverConfiguration as e:
            raise OSError(errno.ENETUNREACH, "this machine has no resolver") from e
        return str(servers[0]), 53


def source_address(destination: str) -> str:
    """This machine's own address on the route to an IP address; "" without a route. Nothing is sent."""
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((destination, 9))  # connecting a datagram socket only looks the route up
            return str(sock.getsockname()[0]).partition("%")[0]
    except OSError:
        return ""

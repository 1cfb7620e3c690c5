"""Where to really connect: the seam under which a lab puts its country."""

from __future__ import annotations

import errno
import socket
from typing import Protocol


class Dialer(Protocol):
    """Where to really connect."""

    def tcp(self, address: str, port: int) -> tuple[str, int]:
        """The IP address and port to dial for a service's. Raises OSError for what must not be contacted."""

    def udp(self, address: str, port: int) -> tuple[str, int] | None:
        """The same for QUIC's datagrams; None where nothing speaks QUIC, as in the lab: then it isn't tested."""

    def system_resolver(self) -> tuple[str, int]:
        """The IP address and port of this machine's resolver, asked over UDP. Raises OSError when there is none."""

    def has_route(self, address: str) -> bool:
        """Whether this machine has a way to an address at all; nothing is sent. Many lines have none over IPv6."""


class RealDialer:
    """The internet as it is."""

    def has_route(self, address: str) -> bool:
        """What the routing table says."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect((address, 9))  # a datagram socket that is connected only looks the route up
        except OSError:
            return False
        return True

    def tcp(self, address: str, port: int) -> tuple[str, int]:
        """The service's own address."""
        return address, port

    def udp(self, address: str, port: int) -> tuple[str, int] | None:
        """The service's own address."""
        return address, port

    def system_resolver(self) -> tuple[str, int]:
        """The first resolver that this machine is set up to use. Read anew each time: networks change."""
        import dns.resolver  # noqa: PLC0415 - pulls in a good deal, and the lab never needs it

        try:
            servers = dns.resolver.Resolver().nameservers
        except dns.resolver.NoResolverConfiguration as e:
            raise OSError(errno.ENETUNREACH, "this machine has no resolver") from e
        return str(servers[0]), 53

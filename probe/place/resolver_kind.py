"""Who runs the resolver that a line uses. Only answers of the provider's own resolver are evidence about the provider.

A public resolver, or one that filters for its users, decides by itself how it answers for a name: that is no block by
the line's provider. The resolver's address is examined here and neither stored nor sent.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING

from probe.protocol.addresses import is_bogon

if TYPE_CHECKING:
    from probe.net.dialer import Dialer
    from probe.protocol.measurement import ResolverKind
    from probe.protocol.prefix_table import OriginTable

_STUB_OF = Path("/run/systemd/resolve/resolv.conf")
"""Where systemd-resolved, which listens on loopback, lists the resolvers that it asks."""

# From the services' own pages, read 2026-11. Each filters for all of its users.
FILTERS = frozenset(
    ipaddress.ip_address(a)
    for a in (
        *("1.1.1.2", "1.0.0.2", "1.1.1.3", "1.0.0.3"),  # Cloudflare for Families
        *("2606:4700:4700::1112", "2606:4700:4700::1002", "2606:4700:4700::1113", "2606:4700:4700::1003"),
        *("94.140.14.14", "94.140.15.15", "94.140.14.15", "94.140.15.16"),  # AdGuard
        *("2a10:50c0::ad1:ff", "2a10:50c0::ad2:ff", "2a10:50c0::bad1:ff", "2a10:50c0::bad2:ff"),
        *("208.67.222.222", "208.67.220.220", "208.67.222.123", "208.67.220.123"),  # OpenDNS
        *("9.9.9.9", "149.112.112.112", "9.9.9.11", "149.112.112.11"),  # Quad9
        *("2620:fe::fe", "2620:fe::9", "2620:fe::11", "2620:fe::fe:11"),
        *("185.228.168.168", "185.228.169.168", "185.228.168.9", "185.228.169.9"),  # CleanBrowsing
        *("77.88.8.88", "77.88.8.2", "77.88.8.7", "77.88.8.3"),  # Yandex Safe and Family
    )
)
_OPEN = frozenset(
    ipaddress.ip_address(a)
    for a in (
        *("1.1.1.1", "1.0.0.1", "2606:4700:4700::1111", "2606:4700:4700::1001"),  # Cloudflare
        *("8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844"),  # Google
        *("9.9.9.10", "149.112.112.10", "2620:fe::10", "2620:fe::fe:10"),  # Quad9, unfiltered
        *("94.140.14.140", "94.140.14.141", "77.88.8.8", "77.88.8.1"),  # AdGuard and Yandex, unfiltered
    )
)


def kind(address: str, line_asn: int, table: OriginTable | None = None) -> ResolverKind:
    """Who runs the resolver at an address, for a line in AS `line_asn` (0: not known)."""
    try:
        ip = ipaddress.ip_address(_upstream(address).partition("%")[0])
    except ValueError:
        return "unknown"
    if ip.is_loopback:
        return "unknown"
    if ip in FILTERS:
        return "filter"
    if ip in _OPEN:
        return "other"
    if is_bogon(str(ip)):
        return "router"
    origin = table.find(str(ip)) if table else None
    if origin is None or not line_asn:
        return "unknown"
    return "provider" if origin.asn == line_asn else "other"


def line_kind(dialer: Dialer, line_asn: int, table: OriginTable | None = None) -> ResolverKind:
    """Who runs the resolver that this line uses now."""
    try:
        return kind(dialer.system_resolver()[0], line_asn, table)
    except OSError:
        return "unknown"


def _upstream(address: str) -> str:
    """The resolver that this machine's stub resolver asks; the address itself when it is no stub."""
    if not address.startswith("127.0.0.5"):
        return address
    try:
        lines = _STUB_OF.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return address
    return next((line.split()[1] for line in lines if line.startswith("nameserver ")), address)

"""Which IP addresses can't be a service on the internet, and how an endpoint is written."""

from __future__ import annotations

import functools
import ipaddress

# IANA's special-purpose registries. The documentation networks are left out, since the lab's country uses them.
_BOGONS = tuple(
    ipaddress.ip_network(net)
    for net in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "::1/128",
        "::ffff:0:0/96",
        "100::/64",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)


@functools.lru_cache(maxsize=4096)
def is_bogon(address: str) -> bool:
    """Whether an address is private, loopback, link-local, carrier-grade NAT, multicast or reserved.

    Text that is not an address counts as a bogon too: there is nothing to contact.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return True
    return any(ip.version == net.version and ip in net for net in _BOGONS)


def endpoint(address: str, port: int) -> str:
    """`ip:port`, or `[ip]:port` for IPv6."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

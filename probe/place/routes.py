"""By which way packets to an address would leave this machine. The kernel is asked; nothing is sent.

On Linux the routing tables are asked over rtnetlink, policy rules included, as WireGuard and WARP use them. Elsewhere
only this machine's address towards a destination is known: a way that moved is seen there, a VPN is not.
Interfaces, gateways and addresses stay in memory: they are compared and neither logged nor sent.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from probe.place.rtnetlink import Route, _asked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from probe.net.dialer import Dialer
    from probe.protocol.measurement import Path as PathWord
    from probe.protocol.watch import Watch

ELSEWHERE, ELSEWHERE6 = "192.0.2.1", "2001:db8::1"
"""Documentation addresses (RFC 5737, RFC 3849): what leads there is the default route."""

_LINUX = sys.platform == "linux"
_CLASS = Path("/sys/class/net")
_ROUTES = Path("/proc/net/route")

_TUNNEL_TYPES = frozenset({768, 769, 776, 778, 823})
"""linux/if_arp.h: IP in IP, IPv6 in IPv6, IPv6 in IPv4, GRE over IPv4, GRE over IPv6."""
_TUNNEL_NAMES = ("tun", "tap", "wg", "utun", "ppp", "ipsec", "nordlynx", "tailscale", "zt", "CloudflareWARP", "warp")
_PROXY_VARIABLES = ("all_proxy", "http_proxy", "https_proxy", "socks_proxy")
_HALVES = frozenset({("00000000", "00000080"), ("00000080", "00000080")})
"""0.0.0.0/1 and 128.0.0.0/1 in /proc/net/route: how a VPN overrides the default route without touching it."""


class RouteCheck(NamedTuple):
    """How the destinations of a run would be reached at one moment: equal looks, same network."""

    ways: tuple[Route | None, ...]
    """One for each destination, None where there is no route or it is this machine itself."""
    path: PathWord


def of_run(watch: Watch, dialer: Dialer) -> RouteCheck:
    """How a run of a watch would leave this machine now. A lab's dialer leads elsewhere: its routes tell nothing."""
    if not dialer.is_real:
        return RouteCheck((), "unknown")
    return check_routes(destinations(watch, dialer))


def destinations(watch: Watch, dialer: Dialer) -> tuple[str, ...]:
    """The IP addresses that a run of a watch goes to: the service's, the control's, and those that look names up."""
    app, web = watch.surfaces.app, watch.surfaces.web
    endpoints = tuple(a for e in app.endpoints for a in e.addresses()) if app else ()
    known = (*endpoints, *(web.addresses if web else ()), *watch.control.addresses, watch.second_resolver.address)
    try:
        return (*known, dialer.system_resolver()[0])
    except OSError:
        return known


def check_routes(to: Iterable[str], environment: Mapping[str, str] = os.environ) -> RouteCheck:
    """Where each of these IP addresses would leave this machine now, and what that makes of the path."""
    ways = tuple(_way(d) for d in to)
    return RouteCheck(ways, _path({w for w in ways if w}, environment))


def between(before: RouteCheck, after: RouteCheck) -> PathWord:
    """The path of a run that began and ended like this."""
    return after.path if before == after else "changed"


def tunnels(interface: str) -> bool:
    """Whether an interface leads into a VPN or another tunnel, as far as Linux tells. False for "" (not known)."""
    if not interface or interface.startswith("v4-"):  # 464XLAT's own device on a mobile network
        return False
    device = _CLASS / interface
    kind = _text(device / "uevent")
    if "DEVTYPE=wwan" in kind or (interface.startswith("ppp") and _text(Path("/proc/net/pppoe")).count("\n") > 1):
        return False  # a modem, or a line that this machine dials itself
    if "DEVTYPE=wireguard" in kind or (device / "tun_flags").exists() or _number(device / "type") in _TUNNEL_TYPES:
        return True
    return interface.startswith(_TUNNEL_NAMES) or interface in _overriding(_text(_ROUTES))


def _path(ways: set[Route], environment: Mapping[str, str]) -> PathWord:
    if not ways or not all(w.interface for w in ways):
        return "unknown"
    tunnelled = {tunnels(w.interface) for w in ways}
    # IPv6 by another interface than IPv4 is no split by itself
    doubled = any(len({w.interface for w in ways if w.family == family}) > 1 for family in (4, 6))
    if doubled or len(tunnelled) > 1:
        return "split"
    if tunnelled == {True}:
        return "vpn"
    proxied = any(environment.get(form) for name in _PROXY_VARIABLES for form in (name, name.upper()))
    return "proxy" if proxied else "direct"


def _overriding(table: str) -> set[str]:
    """The interfaces of /proc/net/route that half of all addresses leave by."""
    rows = [line.split() for line in table.splitlines()[1:]]
    return {row[0] for row in rows if len(row) > 7 and (row[1], row[7]) in _HALVES}


def _way(address: str) -> Route | None:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    if ip.is_loopback:
        return None
    if _LINUX:
        with contextlib.suppress(OSError):
            return _asked(ip)
    return _connected(ip)


def _connected(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Route | None:
    """What connecting a datagram socket tells, which sends nothing: our own address."""
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((str(ip), 9))
            return Route(ip.version, "", "", str(sock.getsockname()[0]).partition("%")[0])
    except OSError:
        return None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _number(file: Path) -> int:
    text = _text(file).strip()
    return int(text) if text.isdigit() else -1

"""How packets to an address would leave this machine. The kernel is asked; nothing is sent.

On Linux the routing tables are read over rtnetlink, including policy rules as WireGuard and WARP use them. On other
systems only this machine's source address towards a destination is known: that shows a changed route, but no VPN.
Interfaces, gateways and addresses are compared in memory and neither logged nor sent.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from probe.net.dialer import source_address
from probe.place.rtnetlink import Route, query_route

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from probe.net.dialer import Dialer
    from probe.protocol.measurement import PathKind
    from probe.protocol.watch import Watch

ELSEWHERE, ELSEWHERE6 = "192.0.2.1", "2001:db8::1"
"""Documentation addresses (RFC 5737, RFC 3849), which nobody has: the route to them is the default route."""

_LINUX = sys.platform == "linux"
_CLASS = Path("/sys/class/net")
_ROUTES = Path("/proc/net/route")

_TUNNEL_TYPES = frozenset({768, 769, 776, 778, 823})
"""linux/if_arp.h: IP in IP, IPv6 in IPv6, IPv6 in IPv4, GRE over IPv4, GRE over IPv6."""
_TUNNEL_NAMES = ("tun", "tap", "wg", "utun", "ppp", "ipsec", "nordlynx", "tailscale", "zt", "CloudflareWARP", "warp")
_PROXY_VARIABLES = ("all_proxy", "http_proxy", "https_proxy", "socks_proxy")
_HALVES = frozenset({("00000000", "00000080"), ("00000080", "00000080")})
"""0.0.0.0/1 and 128.0.0.0/1 in /proc/net/route: how a VPN overrides the default route without changing it."""


class RouteCheck(NamedTuple):
    """How a run's destinations would be reached at one moment. Equal checks mean that the network did not change."""

    routes: tuple[Route | None, ...]
    """One for each destination; None where there is no route or the destination is this machine itself."""
    path: PathKind


def of_run(watch: Watch, dialer: Dialer) -> RouteCheck:
    """How a run of a watch would leave this machine now.

    Empty with path `unknown` under a lab's dialer, which does not connect to the addresses that it is given.
    """
    if not dialer.is_real:
        return RouteCheck((), "unknown")
    return check_routes(destinations(watch, dialer))


def destinations(watch: Watch, dialer: Dialer) -> tuple[str, ...]:
    """The IP addresses that a run of a watch contacts: the service's, the control's and the resolvers'."""
    app, web = watch.surfaces.app, watch.surfaces.web
    endpoints = tuple(a for e in app.endpoints for a in e.addresses()) if app else ()
    known = (*endpoints, *(web.addresses if web else ()), *watch.control.addresses, watch.second_resolver.address)
    try:
        return (*known, dialer.system_resolver()[0])
    except OSError:
        return known


def check_routes(to: Iterable[str], environment: Mapping[str, str] = os.environ) -> RouteCheck:
    """The routes to these IP addresses now, and the path that follows from them and the proxy variables."""
    routes = tuple(_route(d) for d in to)
    return RouteCheck(routes, _path({r for r in routes if r}, environment))


def between(before: RouteCheck, after: RouteCheck) -> PathKind:
    """The path of a run with these checks at its beginning and end."""
    return after.path if before == after else "changed"


def is_tunnel(interface: str) -> bool:
    """Whether an interface leads into a VPN or another tunnel, as far as Linux tells. False for "" (not known)."""
    if not interface or interface.startswith("v4-"):  # 464XLAT's own device on a mobile network
        return False
    device = _CLASS / interface
    kind = _text(device / "uevent")
    if "DEVTYPE=wwan" in kind or (interface.startswith("ppp") and _text(Path("/proc/net/pppoe")).count("\n") > 1):
        return False  # a modem, or a PPPoE line that this machine dials itself
    if "DEVTYPE=wireguard" in kind or (device / "tun_flags").exists() or _number(device / "type") in _TUNNEL_TYPES:
        return True
    return interface.startswith(_TUNNEL_NAMES) or interface in _overriding(_text(_ROUTES))


def _path(routes: set[Route], environment: Mapping[str, str]) -> PathKind:
    if not routes or not all(r.interface for r in routes):
        return "unknown"
    tunnelled = {is_tunnel(r.interface) for r in routes}
    # IPv6 over another interface than IPv4 is no split by itself.
    several = any(len({r.interface for r in routes if r.family == family}) > 1 for family in (4, 6))
    if several or len(tunnelled) > 1:
        return "split"
    if tunnelled == {True}:
        return "vpn"
    proxied = any(environment.get(form) for name in _PROXY_VARIABLES for form in (name, name.upper()))
    return "proxy" if proxied else "direct"


def _overriding(table: str) -> set[str]:
    """The interfaces of a /proc/net/route table that have a route for half of all addresses."""
    rows = [line.split() for line in table.splitlines()[1:]]
    return {row[0] for row in rows if len(row) > 7 and (row[1], row[7]) in _HALVES}


def _route(address: str) -> Route | None:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    if ip.is_loopback:
        return None
    if _LINUX:
        with contextlib.suppress(OSError):
            return query_route(ip)
    source = source_address(str(ip))
    return Route(ip.version, "", "", source) if source else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _number(file: Path) -> int:
    text = _text(file).strip()
    return int(text) if text.isdigit() else -1

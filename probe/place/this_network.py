"""The network that this machine is in now, as its own routing and neighbour tables show it."""

from __future__ import annotations

import contextlib
import ipaddress
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from probe.place.routes import ELSEWHERE, ELSEWHERE6, check_routes
from probe.place.rtnetlink import Route
from probe.protocol.measurement import Word

KnownHow = Literal["declared", "guessed", "configured", "unknown"]
Access = Literal["fixed", "mobile", "unknown"]
LineKind = Literal["home", "hotspot", "work", "campus", "server", "unknown"]

_ARP = Path("/proc/net/arp")
_CLASS = Path("/sys/class/net")
_TETHERS = tuple(map(ipaddress.ip_network, ("192.168.42.0/24", "192.168.43.0/24", "172.20.10.0/28")))
"""Networks that phones hand out: Android (until 11) over USB and Wi-Fi, iPhones over both."""
_TETHER_NAMES = ("usb", "rndis", "iphone", "ncm")
_TETHER_DRIVERS = frozenset({"rndis_host", "ipheth"})
"""Linux's drivers for a phone on a cable, whatever network it hands out."""
_MODEM_NAMES = ("wwan", "rmnet", "wwp", "ccmni", "v4-rmnet")


class KnownNetwork(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of one network, and how."""

    access: Access = "unknown"
    access_how: KnownHow = "unknown"
    line_kind: LineKind = "unknown"
    line_kind_how: KnownHow = "unknown"
    line: Word = ""
    """A word for the subscriber's line here, as in the vantage."""
    line_how: KnownHow = "unknown"


UNKNOWN = KnownNetwork()


class NetworkState(NamedTuple):
    """The network of this machine's default routes at one moment. It stays in memory: never logged, stored or sent.

    Equality is strict: it also differs when one of this machine's own addresses changed within one network.
    """

    routes: tuple[Route, ...] = ()
    """The default routes, IPv4 before IPv6; empty when offline."""
    gateway_mac: str = ""
    """The hardware address of the first route's gateway. "" where the kernel has none; only Linux is asked."""

    @property
    def is_online(self) -> bool:
        """Whether there is a default route."""
        return bool(self.routes)

    @property
    def interface(self) -> str:
        """The first default route's interface, or ""."""
        return self.routes[0].interface if self.routes else ""

    @property
    def gateway(self) -> str:
        """The first default route's gateway, or ""."""
        return self.routes[0].gateway if self.routes else ""

    @property
    def stable_routes(self) -> tuple[Route, ...]:
        """The routes with IPv6 sources cut to their /64, for comparison: the other half changes daily (RFC 8981)."""
        return tuple(r._replace(source=_network_part(r.source)) for r in self.routes)


def current_network() -> NetworkState:
    """The state of this machine's network now. Nothing is sent."""
    routes = tuple(r for r in check_routes((ELSEWHERE, ELSEWHERE6), {}).routes if r)
    return NetworkState(routes, _mac(routes[0].gateway, routes[0].interface) if routes else "")


def guess(network: NetworkState) -> KnownNetwork:
    """What a network looks like from inside: a phone's hotspot and a modem are mobile, all others unknown."""
    tethered = network.interface.startswith(_TETHER_NAMES) or _driver(network.interface) in _TETHER_DRIVERS
    with contextlib.suppress(ValueError):
        gateway = ipaddress.ip_address(network.gateway)
        tethered |= any(gateway.version == net.version and gateway in net for net in _TETHERS)
    if tethered:
        return KnownNetwork(access="mobile", access_how="guessed", line_kind="hotspot", line_kind_how="guessed")
    if network.interface.startswith(_MODEM_NAMES):
        return KnownNetwork(access="mobile", access_how="guessed")
    return UNKNOWN


def _network_part(address: str) -> str:
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False).network_address)


def _mac(gateway: str, interface: str) -> str:
    """The gateway's hardware address in the kernel's ARP table; "" where it has none."""
    try:
        rows = [line.split() for line in _ARP.read_text(encoding="ascii", errors="replace").splitlines()[1:]]
    except OSError:
        return ""
    macs = (row[3] for row in rows if len(row) > 5 and (row[0], row[5]) == (gateway, interface))
    return next((mac for mac in macs if mac != "00:00:00:00:00:00"), "")


def _driver(interface: str) -> str:
    try:
        return (_CLASS / interface / "device" / "driver").readlink().name if interface else ""
    except OSError:
        return ""

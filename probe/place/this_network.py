"""The network that this machine is in now, as far as its own tables tell."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from probe.place import routes
from probe.protocol.measurement import Word

if TYPE_CHECKING:
    from probe.protocol.keys import Key

KnownHow = Literal["declared", "guessed", "configured", "unknown"]
Access = Literal["fixed", "mobile", "unknown"]
LineKind = Literal["home", "hotspot", "work", "campus", "server", "unknown"]

_ARP = Path("/proc/net/arp")
_CLASS = Path("/sys/class/net")
_TETHERS = tuple(map(ipaddress.ip_network, ("192.168.42.0/24", "192.168.43.0/24", "172.20.10.0/28")))
"""What phones hand out: Android (until 11) over USB and Wi-Fi, iPhones over both."""
_TETHER_NAMES = ("usb", "rndis", "iphone", "ncm")
_TETHER_DRIVERS = frozenset({"rndis_host", "ipheth"})
"""Linux's drivers for a phone on a cable, whatever it hands out."""
_MODEM_NAMES = ("wwan", "rmnet", "wwp", "ccmni", "v4-rmnet")
_MARK = b"blockonset network\0"


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


class Here(NamedTuple):
    """The network that this machine is in now, as far as its own tables tell. It stays in memory."""

    interface: str
    gateway: str
    gateway_mac: str
    asn: int

    def name(self, key: Key) -> str:
        """This network's name in the file, or "" where nothing tells it from others."""
        return _hashed(key, self.gateway_mac) if self.gateway_mac else ""

    def number(self, key: Key) -> str:
        """The name of its network number there, or "" where that isn't known."""
        return _hashed(key, f"{self.gateway_mac}\0{self.asn}") if self.asn else ""


def here(asn: int = 0) -> Here:
    """The network of this machine's default route; nothing is sent. `asn` is what the vantage says, 0 if unknown."""
    look = routes.check_routes((routes.ELSEWHERE, routes.ELSEWHERE6), {})
    way = next((w for w in look.ways if w is not None), None)
    if way is None:
        return Here("", "", "", asn)
    return Here(way.interface, way.gateway, _mac(way.gateway, way.interface), asn)


def guess(at: Here) -> KnownNetwork:
    """What a network looks like from inside: a phone's hotspot and a modem are mobile. All else is not known."""
    tethered = at.interface.startswith(_TETHER_NAMES) or _driver(at.interface) in _TETHER_DRIVERS
    with contextlib.suppress(ValueError):
        gateway = ipaddress.ip_address(at.gateway)
        tethered |= any(gateway.version == net.version and gateway in net for net in _TETHERS)
    if tethered:
        return KnownNetwork(access="mobile", access_how="guessed", line_kind="hotspot", line_kind_how="guessed")
    if at.interface.startswith(_MODEM_NAMES):
        return KnownNetwork(access="mobile", access_how="guessed")
    return UNKNOWN


def _hashed(key: Key, text: str) -> str:
    secret = hashlib.sha256(_MARK + key.seed.encode()).digest()
    return hmac.new(secret, _MARK + text.encode(), hashlib.sha256).hexdigest()[:32]


def _mac(gateway: str, interface: str) -> str:
    """The gateway's hardware address in the kernel's table; "" where it has none."""
    try:
        rows = [line.split() for line in _ARP.read_text(encoding="ascii", errors="replace").splitlines()[1:]]
    except OSError:
        return ""
    found = (row[3] for row in rows if len(row) > 5 and (row[0], row[5]) == (gateway, interface))
    return next((mac for mac in found if mac != "00:00:00:00:00:00"), "")


def _driver(interface: str) -> str:
    try:
        return (_CLASS / interface / "device" / "driver").readlink().name if interface else ""
    except OSError:
        return ""

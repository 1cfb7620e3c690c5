"""The networks that a probe has been in, and what its volunteer said of each: a new one is asked about once.

A laptop moves between home, work and a phone's hotspot. The file remembers each network under an HMAC with the
probe's own key: without the key the file names no network, and the same network gives another name on another probe.
What is hashed is the router's hardware address: only Linux tells it here. Elsewhere, and behind a VPN, networks can't
be told apart, none is remembered and none is asked about.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from probe.base.errors import UserError
from probe.home import notebook as state
from probe.place import routes as route
from probe.protocol.measurement import Word

if TYPE_CHECKING:
    from probe.protocol.keys import Key
    from probe.protocol.measurement import Vantage

How = Literal["declared", "guessed", "configured", "unknown"]
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
_MOST = 200
_MARK = b"blockonset network\0"


class Known(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of one network, and how."""

    access: Access = "unknown"
    access_how: How = "unknown"
    line_kind: LineKind = "unknown"
    line_kind_how: How = "unknown"
    line: Word = ""
    """A word for the subscriber's line here, as in the vantage."""
    line_how: How = "unknown"


UNKNOWN = Known()


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
    look = route.look((route.ELSEWHERE, route.ELSEWHERE6), {})
    way = next((w for w in look.ways if w is not None), None)
    if way is None:
        return Here("", "", "", asn)
    return Here(way.interface, way.gateway, _mac(way.gateway, way.interface), asn)


def guess(at: Here) -> Known:
    """What a network looks like from inside: a phone's hotspot and a modem are mobile. All else is not known."""
    tethered = at.interface.startswith(_TETHER_NAMES) or _driver(at.interface) in _TETHER_DRIVERS
    with contextlib.suppress(ValueError):
        gateway = ipaddress.ip_address(at.gateway)
        tethered |= any(gateway.version == net.version and gateway in net for net in _TETHERS)
    if tethered:
        return Known(access="mobile", access_how="guessed", line_kind="hotspot", line_kind_how="guessed")
    if at.interface.startswith(_MODEM_NAMES):
        return Known(access="mobile", access_how="guessed")
    return UNKNOWN


class Networks:
    """The file of known networks, read anew each time: whoever answers and the running probe share it.

    By network's name and by number's name; "" is a number that was not known when somebody answered, and the first
    one seen takes its place. Behind one router a second number is another network: a line that failed over.
    Each method raises UserError when the file can't be read or written.
    """

    def __init__(self, file: Path, key: Key) -> None:
        self._file = file
        self._key = key

    def find(self, at: Here) -> Known | None:
        """What was said of a network before; None for a new one, which is asked about once."""
        name, number = at.name(self._key), at.number(self._key)
        said = self._read()
        rows = said.get(name, {})
        if not number:
            return next(iter(rows.values())) if len(rows) == 1 else None
        if number not in rows and "" in rows:
            rows[number] = rows.pop("")
            self._write(said)
        return rows.get(number)

    def of(self, at: Here) -> Known:
        """What is known of a network: what was said, or else what it looks like."""
        return self.find(at) or guess(at)

    def is_new(self, at: Here) -> bool:
        """Whether somebody should be asked about a network: it can be told from others, and nothing was said of it."""
        return bool(at.name(self._key)) and self.find(at) is None

    def remember(self, at: Here, known: Known) -> bool:
        """Keep what was said of a network. False, and nothing kept, for one that nothing tells from others."""
        name = at.name(self._key)
        if not name:
            return False
        said = self._read()
        rows = {number: k for number, k in said.pop(name, {}).items() if number and at.asn}
        said[name] = rows | {at.number(self._key): known}
        self._write(dict(list(said.items())[-_MOST:]))
        return True

    def _write(self, said: dict[str, dict[str, Known]]) -> None:
        state.write(self._file, msgspec.json.encode(said))

    def _read(self) -> dict[str, dict[str, Known]]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, dict[str, Known]])
        except FileNotFoundError:
            return {}
        except OSError as e:
            raise UserError(f"known networks {self._file}: can't be read: {e.strerror}") from e
        except msgspec.DecodeError as e:
            raise UserError(f"known networks {self._file}: {e}. Delete it: networks are then asked about anew") from e


def applied(vantage: Vantage, known: Known) -> Vantage:
    """The vantage with what is known of its network, where nothing was configured."""
    if vantage.access == "unknown" and known.access != "unknown":
        vantage = msgspec.structs.replace(vantage, access=known.access, access_how=known.access_how)
    if vantage.line_kind == "unknown" and known.line_kind != "unknown":
        vantage = msgspec.structs.replace(vantage, line_kind=known.line_kind, line_kind_how=known.line_kind_how)
    if not vantage.line and known.line:
        vantage = msgspec.structs.replace(vantage, line=known.line, line_how=known.line_how)
    return vantage


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

"""The networks that a probe has been in, and what its volunteer said of each: a new one is asked about once.

A laptop moves between home, work and a phone's hotspot. The file remembers each network under an HMAC with the
probe's own key: without the key the file names no network, and the same network gives another name on another probe.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from probe import route
from probe.errors import UserError

if TYPE_CHECKING:
    from probe.keys import Key
    from probe.measurement import Vantage

How = Literal["declared", "guessed", "configured", "unknown"]
Access = Literal["fixed", "mobile", "unknown"]
LineKind = Literal["home", "hotspot", "work", "campus", "server", "unknown"]

_ARP = Path("/proc/net/arp")
_TETHERS = tuple(map(ipaddress.ip_network, ("192.168.42.0/24", "192.168.43.0/24", "172.20.10.0/28")))
"""What phones hand out: Android over USB and Wi-Fi, iPhones over both."""
_TETHER_NAMES = ("usb", "rndis", "iphone", "ncm")
_MODEM_NAMES = ("wwan", "rmnet", "wwp", "ccmni", "v4-rmnet")
_MOST = 200
_MARK = b"blockonset network\0"


class Known(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of one network, and how."""

    access: Access = "unknown"
    access_how: How = "unknown"
    line_kind: LineKind = "unknown"
    line_kind_how: How = "unknown"


UNKNOWN = Known()


class Here(NamedTuple):
    """The network that this machine is in now, as far as its own tables tell. It stays in memory."""

    interface: str
    gateway: str
    gateway_mac: str
    asn: int

    def name(self, key: Key) -> str:
        """This network's name in the file, or "" where nothing tells it from others."""
        parts = (self.gateway_mac or self.gateway, str(self.asn))
        if not parts[0] and not self.asn:
            return ""
        text = _MARK + "\0".join(parts).encode()
        return hmac.new(hashlib.sha256(_MARK + key.seed.encode()).digest(), text, hashlib.sha256).hexdigest()[:32]


def here(asn: int = 0) -> Here:
    """The network of this machine's default route; nothing is sent. `asn` is what the vantage says, 0 if unknown."""
    look = route.look((route.ELSEWHERE, route.ELSEWHERE6), {})
    way = next((w for w in look.ways if w is not None), None)
    if way is None:
        return Here("", "", "", asn)
    return Here(way.interface, way.gateway, _mac(way.gateway), asn)


def guess(at: Here) -> Known:
    """What a network looks like from inside: a phone's hotspot and a modem are mobile. All else is not known."""
    with contextlib.suppress(ValueError):
        gateway = ipaddress.ip_address(at.gateway)
        if any(gateway.version == net.version and gateway in net for net in _TETHERS):
            return Known(access="mobile", access_how="guessed", line_kind="hotspot", line_kind_how="guessed")
    if at.interface.startswith(_MODEM_NAMES):
        return Known(access="mobile", access_how="guessed")
    if at.interface.startswith(_TETHER_NAMES):
        return Known(access="mobile", access_how="guessed", line_kind="hotspot", line_kind_how="guessed")
    return UNKNOWN


class Networks:
    """The file of known networks. Raises UserError when it can't be read or written."""

    def __init__(self, file: Path, key: Key) -> None:
        self._file = file
        self._key = key
        self._known = self._read()

    def find(self, at: Here) -> Known | None:
        """What was said of a network before; None for a new one, which is asked about once."""
        return self._known.get(at.name(self._key))

    def of(self, at: Here) -> Known:
        """What is known of a network: what was said, or else what it looks like."""
        return self.find(at) or guess(at)

    def remember(self, at: Here, known: Known) -> None:
        """Keep what was said of a network. A network that nothing tells from others is not kept."""
        name = at.name(self._key)
        if not name:
            return
        kept = {k: v for k, v in self._known.items() if k != name} | {name: known}
        self._known = dict(list(kept.items())[-_MOST:])
        draft = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            draft.touch(mode=0o600)
            draft.write_bytes(msgspec.json.encode(self._known))
            draft.replace(self._file)
        except OSError as e:
            raise UserError(f"known networks {self._file}: can't be written: {e.strerror}") from e

    def _read(self) -> dict[str, Known]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, Known])
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
    return vantage


def _mac(gateway: str) -> str:
    """The gateway's hardware address in the kernel's table; "" where it has none."""
    try:
        rows = [line.split() for line in _ARP.read_text(encoding="ascii", errors="replace").splitlines()[1:]]
    except OSError:
        return ""
    return next((row[3] for row in rows if len(row) > 3 and row[0] == gateway and row[3] != "00:00:00:00:00:00"), "")

"""The networks that a probe has been in and what its volunteer answered about each. Each new one is asked about once.

A laptop moves between home, work and a phone's hotspot. The file remembers each network under an HMAC with the
probe's own key: without the key the file identifies no network, and another probe has another identifier for the same
network. The hashed value is the router's hardware address, which is read on Linux only. On other systems, and behind a
VPN, networks can't be told apart: none is remembered and none is asked about.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from probe.base import private_file
from probe.base.errors import UserError
from probe.place.this_network import KnownNetwork, guess

if TYPE_CHECKING:
    from probe.place.this_network import NetworkState
    from probe.protocol.keys import Key
    from probe.protocol.measurement import Vantage
_MAX_NETWORKS = 200
_HASH_CONTEXT = b"blockonset network\0"

_Records = dict[str, dict[str, KnownNetwork]]
"""By identifier of the router, then by identifier of the AS number; "" stands for a number that was not known."""


class KnownNetworks:
    """The file of known networks. Each call reads it anew, since the running probe and the command line share it.

    `asn` is the network's AS number, 0 if not known. An answer given before the number was known holds for the first
    number seen later. A second number behind the same router is another network: the line failed over to a spare one.
    Each method raises UserError when the file can't be read or written.
    """

    def __init__(self, file: Path, key: Key) -> None:
        self._file = file
        self._key = key

    def find(self, network: NetworkState, asn: int = 0) -> KnownNetwork | None:
        """The volunteer's answer about a network; None for a new one."""
        records = self._read()
        rows = records.get(network_id(network, self._key), {})
        if not asn:
            return next(iter(rows.values())) if len(rows) == 1 else None
        number = self._asn_id(network, asn)
        if number not in rows and "" in rows:
            rows[number] = rows.pop("")
            self._write(records)
        return rows.get(number)

    def of(self, network: NetworkState, asn: int = 0) -> KnownNetwork:
        """What is known of a network: the volunteer's answer, or else a guess."""
        return self.find(network, asn) or guess(network)

    def is_new(self, network: NetworkState, asn: int = 0) -> bool:
        """Whether to ask the volunteer about a network: it can be identified, and there is no answer yet."""
        return bool(network.gateway_mac) and self.find(network, asn) is None

    def remember(self, network: NetworkState, known: KnownNetwork, asn: int = 0) -> bool:
        """Keep the answer about a network. False, with nothing kept, for one that can't be identified."""
        name = network_id(network, self._key)
        if not name:
            return False
        records = self._read()
        rows = {number: k for number, k in records.pop(name, {}).items() if number and asn}
        records[name] = rows | {self._asn_id(network, asn): known}
        self._write(dict(list(records.items())[-_MAX_NETWORKS:]))
        return True

    def _asn_id(self, network: NetworkState, asn: int) -> str:
        return _hashed(self._key, f"{network.gateway_mac}\0{asn}") if asn else ""

    def _write(self, records: _Records) -> None:
        private_file.write(self._file, msgspec.json.encode(records))

    def _read(self) -> _Records:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=_Records)
        except FileNotFoundError:
            return {}
        except OSError as e:
            raise UserError(f"known networks {self._file}: can't be read: {e.strerror}") from e
        except msgspec.DecodeError as e:
            raise UserError(f"known networks {self._file}: {e}. Delete it: networks are then asked about anew") from e


def network_id(network: NetworkState, key: Key) -> str:
    """A network's identifier in the file, 32 hex digits; "" where nothing distinguishes it from others."""
    return _hashed(key, network.gateway_mac) if network.gateway_mac else ""


def apply(vantage: Vantage, known: KnownNetwork) -> Vantage:
    """The vantage, with what is known of its network where nothing was configured."""
    if vantage.access == "unknown" and known.access != "unknown":
        vantage = msgspec.structs.replace(vantage, access=known.access, access_how=known.access_how)
    if vantage.line_kind == "unknown" and known.line_kind != "unknown":
        vantage = msgspec.structs.replace(vantage, line_kind=known.line_kind, line_kind_how=known.line_kind_how)
    if not vantage.line and known.line:
        vantage = msgspec.structs.replace(vantage, line=known.line, line_how=known.line_how)
    return vantage


def _hashed(key: Key, text: str) -> str:
    secret = hashlib.sha256(_HASH_CONTEXT + key.seed.encode()).digest()
    return hmac.new(secret, _HASH_CONTEXT + text.encode(), hashlib.sha256).hexdigest()[:32]

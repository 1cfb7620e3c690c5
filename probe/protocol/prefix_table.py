"""The operator's dated table of the networks that announce IP prefixes.

A CSV file of `prefix,asn,country` whose first line holds the date on which it was made:

    # date: 2026-05-01
    prefix,asn,country
    203.0.113.0/24,64500,ZZ

Or a MaxMind database (`.mmdb`) with AS numbers, such as GeoLite2-ASN or DB-IP's. It is read from the disk at each
look-up, so a probe can hold the whole internet's prefixes, for which a CSV file takes too much memory. It needs the
extra `table`.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from probe.base import extras
from probe.base.errors import UserError

_HEADER = "# date:"
_COLUMNS = ["prefix", "asn", "country"]
_ASN_MAX = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Origin:
    """A network's number, and the country that the table gives for it (ISO 3166, two letters, or "")."""

    asn: int
    country: str


class OriginTable(Protocol):
    """A table that maps IP addresses to networks."""

    @property
    def date(self) -> dt.date:
        """When the table was made."""

    def find(self, address: str) -> Origin | None:
        """The network of an address, None if the table has none. Raises ValueError for text that isn't an address."""


def read(path: Path) -> OriginTable:
    """The table in a file, a MaxMind database if it ends in `.mmdb`. Raises a UserError that names the file."""
    return MaxMindTable(path) if path.suffix == ".mmdb" else PrefixTable.read(path)


class MaxMindTable:
    """A MaxMind database of AS numbers. Raises UserError when it or the package that reads it can't be used."""

    def __init__(self, path: Path) -> None:
        with extras.named(f"the prefix table {path}"):
            import maxminddb  # noqa: PLC0415 - an extra
        try:
            self._reader = maxminddb.open_database(path, maxminddb.MODE_AUTO)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as e:
            raise UserError(f"{path}: the prefix table can't be read: {e}") from e
        self.date = dt.datetime.fromtimestamp(self._reader.metadata().build_epoch, dt.UTC).date()

    def find(self, address: str) -> Origin | None:
        """The network of an address, None if the table has none. Raises ValueError for text that isn't an address."""
        row = self._reader.get(address)
        asn = row.get("autonomous_system_number") if isinstance(row, dict) else None
        if not isinstance(row, dict) or not isinstance(asn, int):
            return None
        country = row.get("country")
        code = country.get("iso_code", "") if isinstance(country, dict) else ""
        return Origin(asn, str(code))


@dataclass(frozen=True, slots=True)
class PrefixTable:
    """Prefixes by IP version and length, longest first, so that the first hit is the longest match."""

    date: dt.date
    _by_length: dict[tuple[int, int], dict[int, Origin]] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> PrefixTable:
        """Read a CSV table. Raises a UserError that names the file and line."""
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as e:
            raise UserError(f"{path}: the prefix table can't be read: {e}") from e
        date = _date(path, lines)
        if len(lines) < 2 or [c.strip() for c in lines[1].split(",")] != _COLUMNS:
            raise UserError(f"{path}, line 2: the columns must be {','.join(_COLUMNS)}")
        by_length: dict[tuple[int, int], dict[int, Origin]] = {}
        for number, line in enumerate(lines[2:], 3):
            if line.strip():
                _add(by_length, path, number, line)
        return cls(date, dict(sorted(by_length.items(), reverse=True)))

    def find(self, address: str) -> Origin | None:
        """The network with the longest prefix that contains an address, None if the table has none.

        Raises ValueError for text that isn't an address.
        """
        ip = ipaddress.ip_address(address)
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        hits: Iterable[Origin | None] = (
            prefixes.get(int(ip) >> (ip.max_prefixlen - length))
            for (version, length), prefixes in self._by_length.items()
            if version == ip.version
        )
        return next((h for h in hits if h), None)


def _date(path: Path, lines: list[str]) -> dt.date:
    first = lines[0] if lines else ""
    try:
        return dt.date.fromisoformat(first.split(_HEADER, 1)[1].strip())
    except (IndexError, ValueError) as e:
        raise UserError(f"{path}, line 1: must say when the table was made, as in '{_HEADER} 2026-05-01'") from e


def _add(by_length: dict[tuple[int, int], dict[int, Origin]], path: Path, number: int, line: str) -> None:
    try:
        prefix, asn, country = (c.strip() for c in line.split(","))
        network, owner = ipaddress.ip_network(prefix), Origin(int(asn), country)
    except ValueError as e:
        raise UserError(f"{path}, line {number}: not a prefix, AS number and country: {e}") from e
    if not 0 < owner.asn <= _ASN_MAX:
        raise UserError(f"{path}, line {number}: {asn} is not an AS number")
    shift = network.max_prefixlen - network.prefixlen
    by_length.setdefault((network.version, network.prefixlen), {})[int(network.network_address) >> shift] = owner

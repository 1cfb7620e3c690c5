"""The lab's seam: a dialer that leads a line's connections to loopback ports, and refuses every other address."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import msgspec

from infra.lab.country import CountryMap, LinePorts

if TYPE_CHECKING:
    from pathlib import Path

LOOPBACK = "127.0.0.1"


class CurrentMap:
    """The country's map, read again whenever the country wrote a new one. Shared by the dialers of a process."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read = 0
        self._map = CountryMap({})

    def ways(self, line: str) -> LinePorts:
        """A line's ways. Raises OSError (network down) while there is no country, or none with that line."""
        try:
            stamp = os.stat(self._file).st_mtime_ns  # noqa: PTH116 - a few hundred times a second
        except OSError:
            raise OSError(errno.ENETDOWN, "the lab's country isn't up") from None
        if stamp != self._read:
            self._map = msgspec.json.decode(self._file.read_bytes(), type=CountryMap)
            self._read = stamp
        try:
            return self._map.lines[line]
        except KeyError:
            raise OSError(errno.ENETDOWN, f"the lab's country has no line {line}") from None


class LabDialer:
    """Where one line's packets really go. Nothing leaves loopback: what isn't on the map is unreachable."""

    def __init__(self, atlas: CurrentMap, line: str) -> None:
        self._atlas = atlas
        self._line = line

    def tcp(self, address: str, port: int) -> tuple[str, int]:
        """The loopback address and port for a TCP connection. Raises OSError where the lab has nothing."""
        mapped = self._atlas.ways(self._line).ports.get(f"{address}:{port}")
        if mapped is None:
            raise OSError(errno.ENETUNREACH, f"{address}:{port} is not in the lab")
        return LOOPBACK, mapped

    def udp(self, _address: str, _port: int) -> None:
        """None: the lab's servers don't speak QUIC, so its sweeps leave HTTP/3 out."""

    def has_route(self, address: str) -> bool:
        """The lab has no IPv6."""
        return ":" not in address

    def system_resolver(self) -> tuple[str, int]:
        """The provider's resolver, UDP."""
        return LOOPBACK, self._atlas.ways(self._line).resolver

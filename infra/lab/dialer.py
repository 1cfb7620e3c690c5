"""The dialer of the lab's probes: it maps a line's connections to loopback ports and refuses every other address."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import msgspec

from infra.lab.country import CountryMap, LinePorts
from infra.lab.servers.listener import LOOPBACK

if TYPE_CHECKING:
    from pathlib import Path


class CurrentMap:
    """The country's map, read again whenever the file changes. Shared by all dialers of a process."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read_mtime_ns = 0
        self._map = CountryMap({})

    def line_ports(self, line: str) -> LinePorts:
        """A line's ports. Raises OSError (network down) while there is no map, or none with that line."""
        try:
            mtime_ns = os.stat(self._file).st_mtime_ns  # noqa: PTH116 - called a few hundred times a second
        except OSError:
            raise OSError(errno.ENETDOWN, "the lab's country isn't running") from None
        if mtime_ns != self._read_mtime_ns:
            self._map = msgspec.json.decode(self._file.read_bytes(), type=CountryMap)
            self._read_mtime_ns = mtime_ns
        try:
            return self._map.lines[line]
        except KeyError:
            raise OSError(errno.ENETDOWN, f"the lab's country has no line {line}") from None


class LabDialer:
    """Maps one line's addresses to loopback ports. Nothing leaves loopback: any other address is unreachable."""

    is_real = False

    def __init__(self, current_map: CurrentMap, line: str) -> None:
        self._map = current_map
        self._line = line

    def tcp(self, address: str, port: int) -> tuple[str, int]:
        """The loopback address and port for a TCP connection. Raises OSError for an address that isn't in the lab."""
        mapped = self._map.line_ports(self._line).ports.get(f"{address}:{port}")
        if mapped is None:
            raise OSError(errno.ENETUNREACH, f"{address}:{port} is not in the lab")
        return LOOPBACK, mapped

    def udp(self, _address: str, _port: int) -> None:
        """None: the lab's servers don't support QUIC, so sweeps leave HTTP/3 out."""

    def has_route(self, address: str) -> bool:
        """Whether the address is IPv4: the lab has no IPv6."""
        return ":" not in address

    def system_resolver(self) -> tuple[str, int]:
        """The loopback address and port of the provider's resolver, UDP."""
        return LOOPBACK, self._map.line_ports(self._line).resolver

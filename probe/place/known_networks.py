"""The networks that a probe has been in, and what its volunteer said of each: a new one is asked about once.

A laptop moves between home, work and a phone's hotspot. The file remembers each network under an HMAC with the
probe's own key: without the key the file names no network, and the same network gives another name on another probe.
What is hashed is the router's hardware address: only Linux tells it here. Elsewhere, and behind a VPN, networks can't
be told apart, none is remembered and none is asked about.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from probe.base import private_file
from probe.base.errors import UserError
from probe.place.this_network import Here, KnownNetwork, guess

if TYPE_CHECKING:
    from probe.protocol.keys import Key
    from probe.protocol.measurement import Vantage
_MOST = 200


class KnownNetworks:
    """The file of known networks, read anew each time: whoever answers and the running probe share it.

    By network's name and by number's name; "" is a number that was not known when somebody answered, and the first
    one seen takes its place. Behind one router a second number is another network: a line that failed over.
    Each method raises UserError when the file can't be read or written.
    """

    def __init__(self, file: Path, key: Key) -> None:
        self._file = file
        self._key = key

    def find(self, at: Here) -> KnownNetwork | None:
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

    def of(self, at: Here) -> KnownNetwork:
        """What is known of a network: what was said, or else what it looks like."""
        return self.find(at) or guess(at)

    def is_new(self, at: Here) -> bool:
        """Whether somebody should be asked about a network: it can be told from others, and nothing was said of it."""
        return bool(at.name(self._key)) and self.find(at) is None

    def remember(self, at: Here, known: KnownNetwork) -> bool:
        """Keep what was said of a network. False, and nothing kept, for one that nothing tells from others."""
        name = at.name(self._key)
        if not name:
            return False
        said = self._read()
        rows = {number: k for number, k in said.pop(name, {}).items() if number and at.asn}
        said[name] = rows | {at.number(self._key): known}
        self._write(dict(list(said.items())[-_MOST:]))
        return True

    def _write(self, said: dict[str, dict[str, KnownNetwork]]) -> None:
        private_file.write(self._file, msgspec.json.encode(said))

    def _read(self) -> dict[str, dict[str, KnownNetwork]]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, dict[str, KnownNetwork]])
        except FileNotFoundError:
            return {}
        except OSError as e:
            raise UserError(f"known networks {self._file}: can't be read: {e.strerror}") from e
        except msgspec.DecodeError as e:
            raise UserError(f"known networks {self._file}: {e}. Delete it: networks are then asked about anew") from e


def apply(vantage: Vantage, known: KnownNetwork) -> Vantage:
    """The vantage with what is known of its network, where nothing was configured."""
    if vantage.access == "unknown" and known.access != "unknown":
        vantage = msgspec.structs.replace(vantage, access=known.access, access_how=known.access_how)
    if vantage.line_kind == "unknown" and known.line_kind != "unknown":
        vantage = msgspec.structs.replace(vantage, line_kind=known.line_kind, line_kind_how=known.line_kind_how)
    if not vantage.line and known.line:
        vantage = msgspec.structs.replace(vantage, line=known.line, line_how=known.line_how)
    return vantage

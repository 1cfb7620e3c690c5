"""Every byte of the last segment, decoded: exactly what was sent from here, or will be."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from probe.base.clock import now_ms
from probe.base.errors import UserError
from probe.custody.spool_view import view
from probe.home.files import LAST_SEGMENT
from probe.protocol import envelope, keys, segment

if TYPE_CHECKING:
    from probe.home.config import Config


class ByteRange(msgspec.Struct, frozen=True):
    """A range of the segment's bytes and what it means."""

    start: int
    end: int
    what: str
    value: str


def raw(config: Config) -> bytes:
    """The last segment's bytes. Raises UserError if none was ever sealed."""
    copy = Path(config.data) / LAST_SEGMENT
    if copy.exists():
        try:
            return copy.read_bytes()
        except OSError as e:
            raise UserError(f"{copy}: can't be read: {e.strerror}") from e
    last = view(config.spool_file, now_ms()).last_raw
    if last is None:
        raise UserError("no segment has been sealed yet: nothing was sent from here")
    return last


def byte_ranges(data: bytes) -> list[ByteRange]:
    """The envelope field by field, without gaps. Raises UserError for bytes that are no valid segment."""
    try:
        opened = segment.open(data)
    except segment.SegmentError as e:
        raise UserError(f"the last segment can't be opened: {e}") from e
    plain = zlib.decompress(data[envelope.HEADER :])
    return [
        ByteRange(0, 3, "magic", data[:3].decode()),
        ByteRange(3, 4, "kind", "a segment" if data[3:4] == b"S" else data[3:4].hex()),
        ByteRange(4, 36, "public key of this probe", keys.text_of(data[4:36], "user")),
        ByteRange(36, 100, "signature", data[36:100].hex()),
        ByteRange(100, len(data), f"measurements, compressed from {len(plain)} bytes", f"segment id {opened.id}"),
    ]


def contents(data: bytes) -> Any:
    """The segment's JSON, decompressed but not interpreted."""
    return msgspec.json.decode(zlib.decompress(data[envelope.HEADER :]))

"""The server's end of MTProto's transports: intermediate, abridged, and both of them obfuscated.

Layout: https://core.telegram.org/mtproto/mtproto-transports.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from probe.net.mtproto import aes_ctr

if TYPE_CHECKING:
    from collections.abc import Callable

_INTERMEDIATE, _ABRIDGED = b"\xee" * 4, b"\xef"
_HTTP = (b"GET ", b"POST", b"HEAD", b"OPTI")
_HEADER = 64
_LIMIT = 1024
"""Bytes of one message, more than any opening needs."""


class NotMtprotoError(Exception):
    """No message can begin like this."""


class ServedTransport:
    """The transport of one connection, known from its first bytes: frames in, frames out."""

    def __init__(self) -> None:
        self._heard = b""
        self._known = False
        self._abridged = False
        self._plain: Callable[[bytes], bytes] = bytes
        self._cipher: Callable[[bytes], bytes] = bytes

    def hear(self, data: bytes) -> None:
        """Take the bytes that arrived. Raises NotMtprotoError."""
        if self._known:
            self._heard += self._plain(data)
        else:
            self._heard += data
            self._known = self._open()
        if len(self._heard) > _LIMIT:
            raise NotMtprotoError

    def message(self) -> bytes | None:
        """Take the next whole message, or None while there is none."""
        start, length = self._length() if self._known and self._heard else (0, -1)
        if length < 0 or len(self._heard) < start + length:
            return None
        message, self._heard = self._heard[start : start + length], self._heard[start + length :]
        return message

    def frame(self, message: bytes) -> bytes:
        """A message as it goes out."""
        words = len(message) // 4
        if not self._abridged:
            head = struct.pack("<I", len(message))
        else:
            head = bytes([words]) if words < 0x7F else b"\x7f" + words.to_bytes(3, "little")
        return self._cipher(head + message)

    def _open(self) -> bool:
        """Whether the transport is known by now; its tag is off what was heard then."""
        first = self._heard[:4]
        if first.startswith(_ABRIDGED):
            self._abridged, self._heard = True, self._heard[1:]
            return True
        if first == _INTERMEDIATE:
            self._heard = self._heard[4:]
            return True
        if first in _HTTP:
            raise NotMtprotoError
        if len(self._heard) < _HEADER:
            return False
        header, turned = self._heard[:_HEADER], self._heard[55:7:-1]
        self._plain = aes_ctr(header[8:40], header[40:56]).update
        self._cipher = aes_ctr(turned[:32], turned[32:]).update
        tag = self._plain(header)[56:60]
        if tag not in (_INTERMEDIATE, _ABRIDGED * 4):
            raise NotMtprotoError
        self._abridged = tag != _INTERMEDIATE
        self._heard = self._plain(self._heard[_HEADER:])
        return True

    def _length(self) -> tuple[int, int]:
        """Where the next message begins and how long it is; -1 while that isn't known."""
        if not self._abridged:
            return 4, int.from_bytes(self._heard[:4], "little") if len(self._heard) >= 4 else -1
        if self._heard[0] < 0x7F:
            return 1, 4 * self._heard[0]
        return 4, 4 * int.from_bytes(self._heard[1:4], "little") if len(self._heard) >= 4 else -1

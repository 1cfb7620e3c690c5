"""The server's side of MTProto's transports: intermediate, abridged, and both of them obfuscated.

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
"""Most bytes of one message; the messages that open a session are shorter."""


class NotMtprotoError(Exception):
    """The bytes received can't be the beginning of an MTProto message."""


class ServedTransport:
    """The transport of one connection, recognized by its first bytes. Unwraps received frames and wraps replies."""

    def __init__(self) -> None:
        self._received = b""
        self._recognized = False
        self._abridged = False
        self._decrypt: Callable[[bytes], bytes] = bytes
        self._encrypt: Callable[[bytes], bytes] = bytes

    def receive(self, data: bytes) -> None:
        """Add received bytes. Raises NotMtprotoError."""
        if self._recognized:
            self._received += self._decrypt(data)
        else:
            self._received += data
            self._recognized = self._open()
        if len(self._received) > _LIMIT:
            raise NotMtprotoError

    def message(self) -> bytes | None:
        """Remove and return the next complete message, or None while there is none."""
        start, length = self._length() if self._recognized and self._received else (0, -1)
        if length < 0 or len(self._received) < start + length:
            return None
        message, self._received = self._received[start : start + length], self._received[start + length :]
        return message

    def frame(self, message: bytes) -> bytes:
        """A message wrapped for sending."""
        words = len(message) // 4
        if not self._abridged:
            head = struct.pack("<I", len(message))
        else:
            head = bytes([words]) if words < 0x7F else b"\x7f" + words.to_bytes(3, "little")
        return self._encrypt(head + message)

    def _open(self) -> bool:
        """Whether the transport could be recognized. If so, its tag has been removed from the bytes received."""
        first = self._received[:4]
        if first.startswith(_ABRIDGED):
            self._abridged, self._received = True, self._received[1:]
            return True
        if first == _INTERMEDIATE:
            self._received = self._received[4:]
            return True
        if first in _HTTP:
            raise NotMtprotoError
        if len(self._received) < _HEADER:
            return False
        header, reversed_header = self._received[:_HEADER], self._received[55:7:-1]
        self._decrypt = aes_ctr(header[8:40], header[40:56]).update
        self._encrypt = aes_ctr(reversed_header[:32], reversed_header[32:]).update
        tag = self._decrypt(header)[56:60]
        if tag not in (_INTERMEDIATE, _ABRIDGED * 4):
            raise NotMtprotoError
        self._abridged = tag != _INTERMEDIATE
        self._received = self._decrypt(self._received[_HEADER:])
        return True

    def _length(self) -> tuple[int, int]:
        """Offset and length in bytes of the next message; the length is -1 while it isn't known."""
        if not self._abridged:
            return 4, int.from_bytes(self._received[:4], "little") if len(self._received) >= 4 else -1
        if self._received[0] < 0x7F:
            return 1, 4 * self._received[0]
        return 4, 4 * int.from_bytes(self._received[1:4], "little") if len(self._received) >= 4 else -1

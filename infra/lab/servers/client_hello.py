"""Reads the server name from the first bytes of a TLS connection (RFC 8446 §4.1.2, RFC 6066 §3)."""

from __future__ import annotations

_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME = 22, 1, 0


def server_name(data: bytes) -> str | None:
    """The server name in a ClientHello; "" if it has none or `data` is no ClientHello; None while it is incomplete."""
    if len(data) < 5:
        return None
    if data[0] != _HANDSHAKE:
        return ""
    end = 5 + int.from_bytes(data[3:5], "big")
    if len(data) < end:
        return None
    try:
        return _name(_Reader(data[5:end]))
    except IndexError:
        return ""


def _name(hello: _Reader) -> str:
    if hello.number(1) != _CLIENT_HELLO:
        return ""
    hello.take(3 + 2 + 32)  # length, version, random
    for width in (1, 2, 1):  # session id, cipher suites, compression methods
        hello.take(hello.number(width))
    extensions = _Reader(hello.take(hello.number(2)))
    while not extensions.is_at_end:
        kind, body = extensions.number(2), extensions.take(extensions.number(2))
        if kind == _SERVER_NAME:
            names = _Reader(body)
            names.take(2 + 1)  # the list's length, the name's type
            return names.take(names.number(2)).decode("ascii", "replace")
    return ""


class _Reader:
    """Reads bytes from the front; raises IndexError when too few are left."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def is_at_end(self) -> bool:
        return self._position >= len(self._data)

    def take(self, count: int) -> bytes:
        if self._position + count > len(self._data):
            raise IndexError
        self._position += count
        return self._data[self._position - count : self._position]

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

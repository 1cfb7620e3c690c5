"""The head of an HTTP/1 answer, read as leniently as browsers read it and handed on in a form that no parser refuses.

aiohttp's parsers refuse what browsers accept, and the C one and the pure one differ: bare LF, a doubled length, a field
without a colon (measured with 3.14). Such heads are common among middleboxes, whose pages are what a probe looks for.
"""

from __future__ import annotations

import re

from probe.net.failures import HTTP_FAILED, ProtocolFailure

LARGEST_HEAD = 32 * 1024
"""Bytes of a head, with all interim answers. Chrome takes 256 KB."""
_LARGEST_VALUE = 4096
"""aiohttp refuses a line of more than 8,190 bytes."""
_MOST_FIELDS = 100
"""aiohttp refuses more than 128."""
_BEGINNING = b"HTTP"
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP(?:/(\d{0,4})(?:\.(\d{0,4}))?)?[ \t]+(\d{3})(?!\d)", re.IGNORECASE)
"""As Chrome: a version of 1.1 or more is read as 1.1, anything else, and none, as 1.0."""
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_WITHOUT_BODY = (101, 204, 304)
_NOT_HANDED_ON = frozenset({b"transfer-encoding", b"content-length", b"set-cookie"})
"""The first two are handed on as one. A cookie could identify the line, and aiohttp logs those that it can't parse."""


class ResponseHead:
    """Reads an answer's head as its bytes arrive. Interim answers (100, 103) are passed over (RFC 9110 §15.2)."""

    def __init__(self) -> None:
        self._unread = b""
        self.status: int | None = None
        """The final answer's status; None until its head is complete."""
        self.fields: dict[str, str] = {}
        """Its fields, names in lower case; of repeated ones the first."""
        self.ends_before_stream = False
        """Whether the answer has an end of its own: a length, chunks, or no body."""
        self.size = 0
        """Bytes before the body, interim answers included, once the head is complete."""

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Take the next bytes of an answer; returns those to give to an HTTP parser: a well-formed head, and the body.

        Both are empty until the head is complete, and later calls return only body.

        Raises ProtocolFailure for what is not HTTP, as soon as that is certain, and for a head over LARGEST_HEAD.
        """
        if self.status is not None:
            return b"", data
        self._unread += data
        self.size += len(data)
        while True:
            raw = self._unread.lstrip(b"\r\n")
            if raw[: len(_BEGINNING)].upper() != _BEGINNING[: len(raw)]:
                raise ProtocolFailure(HTTP_FAILED)
            end = _HEAD_END.search(raw, 0, LARGEST_HEAD)
            if end is None:
                if len(raw) >= LARGEST_HEAD:
                    raise ProtocolFailure(HTTP_FAILED)
                return b"", b""
            head, self._unread = raw[: end.start()], raw[end.end() :]
            version, status, fields = _parse(head)
            if status == 101 or not 100 <= status < 200:
                break
        self.status = status
        self.size -= len(self._unread)
        for name, value in fields:
            self.fields.setdefault(name.decode("ascii").lower(), value.decode("latin-1"))
        framing = _framing(fields)
        self.ends_before_stream = bool(framing) or status in _WITHOUT_BODY
        return _well_formed(version, status, framing, fields), self._unread


def _parse(head: bytes) -> tuple[bytes, int, list[tuple[bytes, bytes]]]:
    """The version (1.0 or 1.1), the status, and the fields that have a valid name, in order."""
    first, *lines = re.split(rb"\r?\n", head)
    status_line = _STATUS_LINE.match(first)
    if not status_line:
        raise ProtocolFailure(HTTP_FAILED)
    fields: list[tuple[bytes, bytes]] = []
    for line in lines:
        if line[:1] in b" \t" and line and fields:  # a folded line goes on (RFC 9112 §5.2)
            fields[-1] = (fields[-1][0], fields[-1][1] + b" " + _cleaned(line))
            continue
        name, colon, value = line.partition(b":")
        if colon and _NAME.fullmatch(name.strip()):
            fields.append((name.strip(), _cleaned(value)))
    version = int(status_line[1] or 0), int(status_line[2] or 0)
    return (b"1.1" if version >= (1, 1) else b"1.0"), int(status_line[3]), fields


def _cleaned(value: bytes) -> bytes:
    return _CONTROL.sub(b"", value).strip()


def _framing(fields: list[tuple[bytes, bytes]]) -> list[bytes]:
    """The one field that tells where the body ends: chunks come before a length (RFC 9112 §6.3), of which the first
    valid one counts. Empty when the body ends with the stream.
    """
    if any(name.lower() == b"transfer-encoding" and b"chunked" in value.lower() for name, value in fields):
        return [b"Transfer-Encoding: chunked"]
    lengths = [v.partition(b",")[0].strip() for n, v in fields if n.lower() == b"content-length"]
    return next(([b"Content-Length: " + n] for n in lengths if n.isdigit() and len(n) < 19), [])


def _well_formed(version: bytes, status: int, framing: list[bytes], fields: list[tuple[bytes, bytes]]) -> bytes:
    kept = [n + b": " + v[:_LARGEST_VALUE] for n, v in fields if n.lower() not in _NOT_HANDED_ON]
    return b"\r\n".join((b"HTTP/%b %d -" % (version, status), *framing, *kept[:_MOST_FIELDS], b"", b""))

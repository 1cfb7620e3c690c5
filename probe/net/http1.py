"""Just enough of HTTP/1.1 to ask for one page and to read a bounded answer (RFC 9112)."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from probe.net.failures import HTTP_FAILED, ProtocolFailure
from probe.net.step import StepFacts
from probe.protocol import privacy

LARGEST = 64 * 1024
"""Bytes of an answer, head and body, that are read at most."""
_LARGEST_HEAD = 16 * 1024
_AGENT = "Mozilla/5.0"
CLOSE = ("Connection: close",)

_TITLE = re.compile(rb"<title[^>]*>(.{0,1024}?)</title", re.IGNORECASE | re.DOTALL)


class HttpResponse(NamedTuple):
    """An answer, or as much of it as has come. Header names are in lower case; of doubled ones the first counts."""

    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool
    """No more will come on a connection that stays open."""


def upgrade() -> tuple[str, ...]:
    """The fields that ask for a web socket (RFC 6455 §4.1) which carries binary messages."""
    key = base64.b64encode(os.urandom(16)).decode()
    fixed = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: binary")
    return (*fixed, f"Sec-WebSocket-Key: {key}")


def request(method_and_path: str, host: str, fields: tuple[str, ...] = CLOSE) -> bytes:
    """The bytes of a request without a body, such as `GET /`, with these header fields beside the usual."""
    lines = (
        f"{method_and_path} HTTP/1.1",
        f"Host: {host}",
        f"User-Agent: {_AGENT}",
        "Accept: */*",
        *fields,
    )
    return "\r\n".join((*lines, "", "")).encode("ascii")


def parse(raw: bytes) -> HttpResponse | None:
    """Read an answer; None when its head is not complete yet. Raises Failed for what is no HTTP answer."""
    head, end, body = raw.partition(b"\r\n\r\n")
    if not raw.startswith(b"HTTP/"[: len(raw)]) or (not end and len(raw) > _LARGEST_HEAD):
        raise ProtocolFailure(HTTP_FAILED)
    if not end:
        return None
    start, *lines = head.decode("latin-1").split("\r\n")
    words = start.split(maxsplit=2)
    if len(words) < 2 or not (words[1].isascii() and words[1].isdigit() and len(words[1]) == 3):
        raise ProtocolFailure(HTTP_FAILED)
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    status = int(words[1])
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return HttpResponse(status, headers, *_dechunked(body))
    if status in (204, 304) or 100 <= status < 200:
        return HttpResponse(status, headers, b"", complete=True)
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit():
        return HttpResponse(status, headers, body[: int(length)], len(body) >= int(length))
    return HttpResponse(status, headers, body, complete=False)


def _dechunked(raw: bytes) -> tuple[bytes, bool]:
    """The body in chunked coding, as far as it has come, and whether that was all."""
    body, at = b"", 0
    while (line_end := raw.find(b"\r\n", at)) >= 0:
        try:
            size = int(raw[at:line_end].partition(b";")[0], 16)
        except ValueError:
            raise ProtocolFailure(HTTP_FAILED) from None
        if size <= 0:
            return body, True
        body += raw[line_end + 2 : line_end + 2 + size]
        at = line_end + 2 + size + 2
    return body, False


def facts(response: HttpResponse) -> StepFacts:
    """What a step keeps of an answer: never the body, and hashes only of what has no address in it."""
    body = privacy.scrub_page(response.body)
    title = _TITLE.search(body)
    return {
        "status": response.status,
        "location": _scheme_and_host(response.headers.get("location", "")),
        "length": len(response.body),
        "body_hash": hashlib.sha256(body).hexdigest(),
        "title_hash": hashlib.sha256(b" ".join(title[1].split())).hexdigest() if title else "",
    }


def _scheme_and_host(location: str) -> str:
    """`https://host` of a Location header; a path may carry what was asked and by whom."""
    try:
        parts = urlsplit(location)
        return f"{parts.scheme}://{parts.hostname}"[:255] if parts.scheme and parts.hostname else ""
    except ValueError:
        return ""

"""What a measurement keeps of a web page: facts and hashes, never the page itself."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from probe.net import block_pages
from probe.protocol import privacy

if TYPE_CHECKING:
    from probe.net.step import StepFacts

_TITLE = re.compile(rb"<title[^>]*>(.{0,1024}?)</title", re.IGNORECASE | re.DOTALL)


class WebPage:
    """An answer to a request, or as much of it as has come."""

    def __init__(self) -> None:
        self.status: int | None = None
        """None until a status line was read, and for what is not HTTP."""
        self.headers: dict[str, str] = {}
        """Names in lower case; of repeated ones the first counts."""
        self.body = b""
        self.is_cut = False
        """Whether the stream ended before the end that the head announced."""
        self.received = 0
        """Bytes of head and body, as they came over the network but after TLS."""

    def facts(self, fingerprints: tuple[block_pages.Fingerprint, ...]) -> StepFacts:
        """What a step keeps: hashes only of what has no address in it. Empty while nothing has come."""
        if self.status is None and not self.body:
            return {}
        body = privacy.scrub_page(self.body)
        title = _TITLE.search(body)
        facts: StepFacts = {
            "location": _scheme_and_host(self.headers.get("location", "")),
            "length": len(self.body),
            "body_hash": hashlib.sha256(body).hexdigest(),
            "title_hash": hashlib.sha256(b" ".join(title[1].split())).hexdigest() if title else "",
            "fingerprint": block_pages.match(self.headers, self.body, fingerprints),
        }
        if self.status is not None:
            facts["status"] = self.status
        return facts


def _scheme_and_host(location: str) -> str:
    """`https://host` of a Location header; a path may carry what was asked and by whom."""
    try:
        parts = urlsplit(location)
        return f"{parts.scheme}://{parts.hostname}"[:255] if parts.scheme and parts.hostname else ""
    except ValueError:
        return ""

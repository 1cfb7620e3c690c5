"""Finds and removes text that could identify a volunteer. A probe checks before it sends, the aggregator on arrival.

Addresses of the service and answers of resolvers are facts, and stay. The line's own addresses, MAC and mail
addresses, the machine's name and paths on its disk are not allowed in any field.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from typing import TYPE_CHECKING

import msgspec

from probe.protocol.addresses import is_bogon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from probe.protocol.measurement import Measurement, Step

_MAC = re.compile(r"(?<![0-9A-Fa-f:.-])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![0-9A-Fa-f:-])")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_V4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)")
_V6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:%\w+)?(?![\w:])")
_PATH = re.compile(r"(?<![\w/])(?:/[\w.-]+){2,}|\b[A-Za-z]:\\\S+")
_V4_IN_PAGE = re.compile(rb"(?:\d{1,3}[.-]){3}\d{1,3}")
_V6_IN_PAGE = re.compile(rb"(?:[0-9A-Fa-f]{1,4}:){2,7}[0-9A-Fa-f:]{0,4}(?:[0-9A-Fa-f]{1,4})?")

_REPLACEMENT = "[scrubbed]"
_LONGEST_DETAIL = 64
"""Characters that `scrub_text` keeps."""
_LONGEST_FIELD = 255
"""Longest text allowed in a field, in characters: the length of the longest host name."""


def scrub_text(raw: str) -> str:
    """An error's text, shortened to 64 characters, with everything that looks like an address or a path replaced."""
    for pattern in (_MAIL, _MAC, _PATH, _V6, _V4):
        raw = pattern.sub(_REPLACEMENT, raw)
    return "".join(c if c.isprintable() else " " for c in raw)[:_LONGEST_DETAIL].strip()


def scrub_page(raw: bytes) -> bytes:
    """A web page's bytes without IP addresses: many block pages print the reader's own.

    From the hash of a page with an IPv4 address in it, anyone could find the address by trying all of them.
    """
    return _V6_IN_PAGE.sub(b"", _V4_IN_PAGE.sub(b"", raw))


def identifying(measurement: Measurement, own: re.Pattern[str] | None = None) -> str | None:
    """The name of the first field whose text could identify a volunteer, or None.

    `own` matches this machine's own names and addresses (`probe.place.own_names`). The aggregator has none to give.
    """
    for field, value, is_suspicious in _texts(measurement):
        if value and _could_identify(value, is_suspicious, own):
            return field
    return None


@functools.lru_cache(maxsize=4096)
def _could_identify(value: str, is_suspicious: Callable[[str], bool], own: re.Pattern[str] | None) -> bool:
    """Whether a text could identify somebody. Cached: nearly all texts of a run are those of the run before."""
    return len(value) > _LONGEST_FIELD or is_suspicious(value) or (own is not None and own.search(value) is not None)


def _texts(m: Measurement) -> Iterator[tuple[str, str, Callable[[str], bool]]]:
    """Every text of a measurement: the field's name, the text, and a function that finds what it must not contain."""
    for field in ("watch", "surface", "check", "target", "software"):
        yield field, getattr(m, field), contains_identifier
    yield "internal", m.internal, _contains_identifier_or_path
    for field, value in msgspec.structs.asdict(m.vantage).items():
        if isinstance(value, str):
            yield f"vantage.{field}", value, contains_identifier
    for i, step in enumerate(m.steps):
        for field, value, is_suspicious in _texts_of(step):
            yield f"steps[{i}].{field}", value, is_suspicious


def _texts_of(step: Step) -> Iterator[tuple[str, str, Callable[[str], bool]]]:
    yield "address", step.address, _is_not_a_service
    yield "failure", step.failure or "", _contains_identifier_or_path
    yield "location", step.location, _contains_mail_or_mac
    for field in ("target", "via", "fingerprint"):
        yield field, getattr(step, field), contains_identifier
    for name in step.names:
        yield "names", name, contains_identifier
    for answer in (*step.answers, *(a for reply in step.replies for a in reply.answers)):
        yield "answers", answer, _is_not_an_address


def contains_identifier(value: str) -> bool:
    """Whether a mail, MAC or IP address is in a text."""
    candidates = (m.group().partition("%")[0] for p in (_V4, _V6) for m in p.finditer(value))
    return _contains_mail_or_mac(value) or any(not _is_not_an_address(c) for c in candidates)


def _contains_mail_or_mac(value: str) -> bool:
    return _MAC.search(value) is not None or _MAIL.search(value) is not None


def _contains_identifier_or_path(value: str) -> bool:
    return contains_identifier(value) or _PATH.search(value) is not None


def _is_not_a_service(value: str) -> bool:
    """Whether the address in `ip:port` or `[ip]:port` is one that no service on the internet can have."""
    return is_bogon(value.rpartition(":")[0].strip("[]"))


def _is_not_an_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return True
    return False

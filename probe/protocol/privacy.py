"""What identifies a volunteer must not leave the machine. Looked for on the probe, and again on arrival.

Addresses of the service and answers of resolvers are facts, and stay. The line's own addresses, MAC and mail
addresses, the machine's name and the paths of its disk may stand nowhere.
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
_PAGE_V4 = re.compile(rb"(?:\d{1,3}[.-]){3}\d{1,3}")
_PAGE_V6 = re.compile(rb"(?:[0-9A-Fa-f]{1,4}:){2,7}[0-9A-Fa-f:]{0,4}(?:[0-9A-Fa-f]{1,4})?")

_BLANK = "[scrubbed]"
_LONGEST_WORD = 64
"""Longest text about a failure that has no name, in characters."""
_LONGEST_TEXT = 255
"""Longest text of any field: a host name's length."""


def text(raw: str) -> str:
    """A short word about an error, with everything that looks like an address or a path blanked."""
    for pattern in (_MAIL, _MAC, _PATH, _V6, _V4):
        raw = pattern.sub(_BLANK, raw)
    return "".join(c if c.isprintable() else " " for c in raw)[:_LONGEST_WORD].strip()


def page(raw: bytes) -> bytes:
    """A web page's bytes without addresses: many block pages print the reader's own.

    A hash of a page that carries an IPv4 address would give the address to anyone who tries all of them.
    """
    return _PAGE_V6.sub(b"", _PAGE_V4.sub(b"", raw))


def identifying(measurement: Measurement, own: re.Pattern[str] | None = None) -> str | None:
    """The name of the first field that looks as if it could identify a volunteer, or None.

    `own` is what `own_names()` gives, on the probe; on arrival nothing is known of the sender's line.
    """
    for field, value, suspicious in _texts(measurement):
        if value and _is_telling(value, suspicious, own):
            return field
    return None


@functools.lru_cache(maxsize=4096)
def _is_telling(value: str, suspicious: Callable[[str], bool], own: re.Pattern[str] | None) -> bool:
    """Whether a text tells of somebody. Remembered: nearly all texts of a run are those of the run before."""
    return len(value) > _LONGEST_TEXT or suspicious(value) or (own is not None and own.search(value) is not None)


def _texts(m: Measurement) -> Iterator[tuple[str, str, Callable[[str], bool]]]:
    """Every text of a measurement: the field's name, the text, and what in it is suspicious."""
    for field in ("watch", "surface", "check", "target", "software"):
        yield field, getattr(m, field), names_somebody
    yield "internal", m.internal, _tells_of_the_machine
    for field, value in msgspec.structs.asdict(m.vantage).items():
        if isinstance(value, str):
            yield f"vantage.{field}", value, names_somebody
    for i, step in enumerate(m.steps):
        for field, value, suspicious in _texts_of(step):
            yield f"steps[{i}].{field}", value, suspicious


def _texts_of(step: Step) -> Iterator[tuple[str, str, Callable[[str], bool]]]:
    yield "address", step.address, _is_no_service
    yield "failure", step.failure or "", _tells_of_the_machine
    yield "location", step.location, _is_mail_or_mac
    for field in ("target", "via", "fingerprint"):
        yield field, getattr(step, field), names_somebody
    for name in step.names:
        yield "names", name, names_somebody
    for answer in (*step.answers, *(a for reply in step.replies for a in reply.answers)):
        yield "answers", answer, _is_no_address


def _is_mail_or_mac(value: str) -> bool:
    return _MAC.search(value) is not None or _MAIL.search(value) is not None


def names_somebody(value: str) -> bool:
    """Whether a mail, MAC or IP address stands in a text that should hold none."""
    found = (m.group().partition("%")[0] for p in (_V4, _V6) for m in p.finditer(value))
    return _is_mail_or_mac(value) or any(not _is_no_address(f) for f in found)


def _tells_of_the_machine(value: str) -> bool:
    return names_somebody(value) or _PATH.search(value) is not None


def _is_no_service(value: str) -> bool:
    """`ip:port` or `[ip]:port` with an address that no service on the internet can have."""
    return is_bogon(value.rpartition(":")[0].strip("[]"))


def _is_no_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return True
    return False

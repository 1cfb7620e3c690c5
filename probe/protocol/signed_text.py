"""Signed texts of one line, which people can pass on in a message: invites and withdrawals.

Form: `<label>:<base64url of the body>.<base64url of key and signature>.<CRC-32 of all before, 8 hex digits>`. The
label is a kind and a version, such as `blockonset1`. The body is JSON; the signature covers the label, the colon and
the body. The checksum tells a line that was cut or mistyped from a forged one.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, NamedTuple

from probe.protocol import keys

if TYPE_CHECKING:
    from probe.protocol.keys import Key, Kind

LONGEST = 8192
_KEY_BYTES = 32
_FORM = re.compile(r"([a-z-]+\d+):([\w-]+)\.([\w-]+)\.([0-9a-f]{8})", re.ASCII)


class SignedTextError(ValueError):
    """A line that has another form or label, is damaged, or has a wrong signature."""


class SignedText(NamedTuple):
    """The signer's id and the body of a line whose signature was right."""

    signer_id: str
    body: bytes


def seal(label: str, body: bytes, key: Key) -> str:
    """The signed line."""
    signature = key.sign(f"{label}:".encode() + body)
    text = f"{label}:{_text(body)}.{_text(key.public + signature)}"
    return f"{text}.{binascii.crc32(text.encode()):08x}"


def open(line: str, label: str, kind: Kind) -> SignedText:  # noqa: A001 - read as `signed_text.open`
    """Check a line's label, checksum and signature. `kind` is the signer's kind of key. Raises SignedTextError."""
    line = "".join(line.split())  # mail programs break long lines
    matched = _FORM.fullmatch(line)
    if len(line) > LONGEST or matched is None:
        raise SignedTextError(f"not a line that begins with {label}: and ends with its checksum; was it copied whole?")
    if matched[1] != label:
        raise SignedTextError(f"it begins with {matched[1]}:, but {label}: is needed here")
    if f"{binascii.crc32(line.rpartition('.')[0].encode()):08x}" != matched[4]:
        raise SignedTextError("it is damaged: the checksum does not match; copy it again")
    try:
        body, proof = _bytes(matched[2]), _bytes(matched[3])
    except ValueError as e:
        raise SignedTextError(f"it is damaged: {e}") from e
    public, signature = proof[:_KEY_BYTES], proof[_KEY_BYTES:]
    if not keys.verify_public(public, signature, f"{label}:".encode() + body):
        raise SignedTextError("its signature is wrong: somebody has changed it")
    return SignedText(keys.text_of(public, kind), body)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

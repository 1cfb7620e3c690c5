"""Signed words that fit on one line, so that people can pass them on in a message: invites and withdrawals.

Form: `<what><version>:<base64url of the body>.<base64url of key and signature>.<CRC-32 of all before, 8 hex digits>`.
The body is readable JSON; the signature covers `<what><version>:` and the body. The checksum tells a line that was
cut or mistyped from one that somebody forged.
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
_FORM = re.compile(r"([a-z-]+)(\d+):([\w-]+)\.([\w-]+)\.([0-9a-f]{8})", re.ASCII)


class SignedTextError(ValueError):
    """A line that isn't one of ours, is damaged, or whose signature is wrong."""


class SignedText(NamedTuple):
    """A line whose signature was right: who signed it, and its body."""

    signer_id: str
    body: bytes


def seal(what: str, body: bytes, key: Key) -> str:
    """The line. `what` is its kind and version, such as `blockonset1`."""
    signature = key.sign(f"{what}:".encode() + body)
    text = f"{what}:{_text(body)}.{_text(key.public + signature)}"
    return f"{text}.{binascii.crc32(text.encode()):08x}"


def open(line: str, what: str, kind: Kind) -> SignedText:  # noqa: A001 - read as `oneline.open`
    """Check a line's checksum and signature. Raises LineError, which says what is wrong with it."""
    line = "".join(line.split())  # mail programs break long lines
    found = _FORM.fullmatch(line)
    if len(line) > LONGEST or found is None:
        raise SignedTextError(f"not a line that begins with {what}: and ends with its checksum; was it copied whole?")
    if found[1] + found[2] != what:
        raise SignedTextError(f"it begins with {found[1]}{found[2]}:, and {what}: is meant here")
    if f"{binascii.crc32(line.rpartition('.')[0].encode()):08x}" != found[5]:
        raise SignedTextError("it is damaged: the checksum does not match; copy it again")
    try:
        body, proof = _bytes(found[3]), _bytes(found[4])
    except ValueError as e:
        raise SignedTextError(f"it is damaged: {e}") from e
    public, signature = proof[:_KEY_BYTES], proof[_KEY_BYTES:]
    if not keys.verify_public(public, signature, f"{what}:".encode() + body):
        raise SignedTextError("its signature is wrong: somebody changed it")
    return SignedText(keys.text_of(public, kind), body)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

"""The envelope of everything that is signed as bytes: segments, receipts and watches.

Layout, byte for byte:

    0    3   magic "BO1"
    3    1   kind: "S" a segment, "R" a receipt, "W" a watch
    4   32   the signer's Ed25519 public key
    36  64   signature over bytes 0-36 and everything after byte 100
    100      body

The kind is signed, so that a receipt can't pass for a watch, for example. The signature covers the bytes as they
travel: nothing is serialised again to check it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from probe.protocol import keys

if TYPE_CHECKING:
    from probe.protocol.keys import Key

Kind = Literal["S", "R", "W"]

HEADER = 100
"""Bytes before the body."""

_SIGNER: dict[Kind, keys.Kind] = {"S": "user", "R": "operator", "W": "operator"}
_MAGIC = b"BO1"
_KEY = slice(4, 36)
_SIGNATURE = slice(36, HEADER)


class EnvelopeError(ValueError):
    """Bytes that aren't an envelope of the expected kind, or whose signature is wrong; `reason` says which."""

    def __init__(self, reason: Literal["envelope", "signature"], detail: str) -> None:
        super().__init__(detail)
        self.reason: Literal["envelope", "signature"] = reason


class Envelope(NamedTuple):
    """An envelope whose signature was right: the signer's id, the body, and the bytes that the signature covers."""

    signer_id: str
    body: bytes
    signed: bytes


def has_kind(raw: bytes, kind: Kind) -> bool:
    """Whether bytes begin as an envelope of this kind does; the signature is not checked."""
    return raw.startswith(_MAGIC + kind.encode())


def seal(kind: Kind, body: bytes, key: Key) -> bytes:
    """The envelope around a body, signed with `key`."""
    head = _MAGIC + kind.encode() + key.public
    return head + key.sign(head + body) + body


def open(raw: bytes, kind: Kind) -> Envelope:  # noqa: A001 - read as `envelope.open`
    """Check the signature and return the signer, the body and the signed bytes. Raises EnvelopeError.

    Whether the signer is to be trusted is for the caller to decide.
    """
    head = _MAGIC + kind.encode()
    if len(raw) < HEADER or not has_kind(raw, kind):
        raise EnvelopeError("envelope", f"not an envelope of the kind {kind!r}")
    public = raw[_KEY]
    covered = head + public + raw[HEADER:]
    if not keys.verify_public(public, raw[_SIGNATURE], covered):
        raise EnvelopeError("signature", "the signature does not match")
    return Envelope(keys.text_of(public, _SIGNER[kind]), raw[HEADER:], covered)

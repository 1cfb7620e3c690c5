"""A withdrawal as it is sent: one line, signed with the key of the probe that it is about."""

from __future__ import annotations

import hashlib

import msgspec

from probe.base.errors import UserError
from probe.protocol import signed_text

LABEL = "blockonset-withdrawal1"


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """A volunteer's request that none of their probe's rows be published from now on."""

    format: int = 1
    probe: str
    asked_ms: int
    request: str = "publish no row of this key from now on"


def read(line: str) -> Withdrawal:
    """The withdrawal in a signed line. Raises UserError unless it is signed with the key that it names."""
    try:
        opened = signed_text.open(line, LABEL, "user")
        asked = msgspec.json.decode(opened.body, type=Withdrawal, strict=True)
    except (signed_text.SignedTextError, msgspec.DecodeError) as e:
        raise UserError(f"withdrawal: {e}") from e
    if asked.probe != opened.signer_id:
        raise UserError(f"withdrawal: signed by {opened.signer_id}, but about {asked.probe}")
    return asked


def id_of(line: str) -> str:
    """The id by which a receipt names a withdrawal: BLAKE2b-128 of the line, hex."""
    return hashlib.blake2b(line.strip().encode(), digest_size=16).hexdigest()

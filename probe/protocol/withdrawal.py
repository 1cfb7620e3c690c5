"""A withdrawal as it travels: one line, signed by the key of the probe that it is about."""

from __future__ import annotations

import hashlib

import msgspec

from probe.base.errors import UserError
from probe.protocol import signed_text

WHAT = "blockonset-withdrawal1"


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """A request signed with the probe's key: publish none of my rows from this time on."""

    format: int = 1
    probe: str
    asked_ms: int
    request: str = "publish no row of this key from now on"


def read(line: str) -> Withdrawal:
    """For the operator's side: what a line asks. Raises UserError unless the key that it names has signed it."""
    try:
        opened = signed_text.open(line, WHAT, "user")
        asked = msgspec.json.decode(opened.body, type=Withdrawal, strict=True)
    except (signed_text.SignedTextError, msgspec.DecodeError) as e:
        raise UserError(f"withdrawal: {e}") from e
    if asked.probe != opened.signer_id:
        raise UserError(f"withdrawal: signed by {opened.signer_id}, and speaks for {asked.probe}")
    return asked


def id_of(line: str) -> str:
    """How a receipt names a withdrawal: BLAKE2b-128 of the line, hex."""
    return hashlib.blake2b(line.strip().encode(), digest_size=16).hexdigest()

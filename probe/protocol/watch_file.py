"""Reads, signs and opens watch files."""

from __future__ import annotations

import datetime as dt
import hashlib
import tomllib
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from probe.base.errors import UserError
from probe.protocol import envelope, watch_problems
from probe.protocol.watch import Watch

if TYPE_CHECKING:
    from probe.protocol.keys import Key


class WatchError(UserError):
    """A watch that can't be used; the message names the file and the key."""


class WatchText(NamedTuple):
    """A watch's own bytes (TOML), and the id of the key that signed them: "" for an unsigned watch."""

    text: bytes
    signer_id: str


def read(raw: bytes, source: str) -> Watch:
    """Parse a watch's bytes. `source` names them in errors.

    Raises WatchError for bytes that aren't a complete and consistent watch.
    """
    try:
        table = tomllib.loads(raw.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise WatchError(f"{source}: not a TOML file: {e}") from e
    try:
        watch = msgspec.convert(table, Watch, strict=True)
    except msgspec.ValidationError as e:
        raise WatchError(f"{source}: {e}") from e
    if problem := watch_problems.problem(watch):
        raise WatchError(f"{source}: {problem}")
    return msgspec.structs.replace(watch, digest=hashlib.sha256(raw).hexdigest())


def sign(raw: bytes, key: Key) -> bytes:
    """The signed envelope around a watch's own bytes. `key` is the operator's. Raises WatchError for a bad watch."""
    read(raw, "the watch to sign")
    return envelope.seal("W", raw, key)


def is_signed(raw: bytes) -> bool:
    """Whether bytes claim to be a signed watch; the signature is not checked."""
    return envelope.has_kind(raw, "W")


def text_of(raw: bytes, source: str) -> WatchText:
    """The text of a watch's file, signed or not. `source` names it in errors.

    Raises WatchError when there is a signature and it is wrong. Trusting the signer is up to the caller.
    """
    if not is_signed(raw):
        return WatchText(raw, "")
    try:
        opened = envelope.open(raw, "W")
    except envelope.EnvelopeError as e:
        raise WatchError(f"{source}: {e}") from e
    return WatchText(opened.body, opened.signer_id)


def open_signed(raw: bytes, operator_id: str, source: str, today: dt.date) -> Watch:
    """Check that the operator signed a watch, then read it. A running probe takes watches through this function alone.

    Raises WatchError for bytes that the operator did not sign, and for a watch that expired before `today` (UTC).
    """
    try:
        opened = envelope.open(raw, "W")
    except envelope.EnvelopeError as e:
        raise WatchError(f"{source}: not a signed watch: {e}; sign it with: blockonset watch sign") from e
    if opened.signer_id != operator_id:
        raise WatchError(f"{source}: signed by {opened.signer_id}, not by the operator {operator_id}")
    watch = read(opened.body, source)
    if dt.date.fromisoformat(watch.expires) < today:
        raise WatchError(f"{source}: expired on {watch.expires}: ask the operator for a new one")
    return watch

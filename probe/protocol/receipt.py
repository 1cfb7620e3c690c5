"""Receipts: the aggregator's signed statement about a probe's segments and withdrawal.

The body of the signed envelope is the JSON of `Receipt`:

    {"format": 1, "probe": "U...", "issued_ms": 1800000000000, "entries": [
        {"kind": "segment", "subject": "<id of a segment>", "state": "rejected", "reason": "unknown_watch"},
        {"kind": "withdrawal", "subject": "<id of a withdrawal's line>"}]}

A probe trusts the operator's key that it was configured with, not the broker that delivered the receipt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from probe.protocol import envelope
from probe.protocol.measurement import FORMAT, Hex128, Instant, ProbeId, Text

if TYPE_CHECKING:
    from probe.protocol.keys import Key


class SegmentFate(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="segment",
):
    """What became of one segment."""

    subject: Hex128
    """The segment's id."""
    state: Literal["stored", "rejected", "unknown"]
    """`unknown` answers a question about a segment that the store does not have: the probe sends it again."""
    reason: Text = ""
    """Why it was rejected: a `segment.Reason`, or one of those in aggregator/intake/verify.py."""


class KeptWithdrawal(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="withdrawal"
):
    """The aggregator has stored a withdrawal, and publishes no row of its probe any more."""

    subject: Hex128
    """The id of the withdrawal's line, see `withdrawal.id_of`."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A statement to one probe. Only a segment that is `stored` or `rejected` may leave its spool."""

    format: int = FORMAT
    probe: ProbeId
    issued_ms: Instant
    entries: tuple[SegmentFate | KeptWithdrawal, ...]


class ReceiptError(ValueError):
    """Bytes that aren't a receipt signed by the operator."""


def sign(receipt: Receipt, operator_key: Key) -> bytes:
    """The signed envelope of a receipt."""
    return envelope.seal("R", msgspec.json.encode(receipt), operator_key)


def open(raw: bytes, operator_id: str) -> Receipt:  # noqa: A001 - read as `receipt.open`
    """Check that the operator signed, then parse. Raises ReceiptError."""
    try:
        opened = envelope.open(raw, "R")
    except envelope.EnvelopeError as e:
        raise ReceiptError(str(e)) from e
    if opened.signer_id != operator_id:
        raise ReceiptError(f"signed by {opened.signer_id}, not by the operator {operator_id}")
    try:
        receipt = msgspec.json.decode(opened.body, type=Receipt, strict=True)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise ReceiptError(str(e)) from e
    if receipt.format != FORMAT:
        raise ReceiptError(f"format {receipt.format}, this program reads {FORMAT}")
    return receipt

"""Receipts: the aggregator's signed word on what became of a probe's segments.

A probe trusts the operator's key that it was given, not the broker that a receipt came through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.protocol import envelope
from probe.protocol.measurement import FORMAT, Receipt

if TYPE_CHECKING:
    from probe.protocol.keys import Key


class ReceiptError(ValueError):
    """Bytes that aren't a receipt signed by the operator."""


def sign(receipt: Receipt, operator_key: Key) -> bytes:
    """The signed envelope of a receipt."""
    return envelope.seal("R", msgspec.json.encode(receipt), operator_key)


def open(raw: bytes, operator_id: str) -> Receipt:  # noqa: A001 - read as `receipts.open`
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

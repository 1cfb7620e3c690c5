"""What a probe may ask the aggregator: one JSON object, sent as a NATS request on `q.<probe>`.

    {"kind": "fates", "segments": ["<id>", ...]}
        What became of these segments of mine? Reply: a signed receipt, see `probe.protocol.receipt`.
    {"kind": "watch", "watch": "<id>", "digest": "<SHA-256 of the text that the probe has>"}
        Is there another text of this watch? Reply: the signed watch, or nothing where the probe has the present one.
    {"kind": "withdrawal", "line": "blockonset-withdrawal1:..."}
        Publish no row of mine from now on. Reply: a signed receipt with a withdrawal entry.

The aggregator does not reply to anything else.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from probe.protocol import signed_text
from probe.protocol.measurement import Digest, Hex128, Word

MOST_IDS = 1024
"""Segments that one question may name."""


class FatesRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="fates"
):
    """A question about the probe's own segments whose receipts have not arrived."""

    segments: Annotated[tuple[Hex128, ...], Meta(min_length=1, max_length=MOST_IDS)]
    """Their ids, see `probe.protocol.segment.segment_id`."""


class WatchRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="watch"
):
    """A question for another text of the watch that the probe measures."""

    watch: Word
    """The watch's id."""
    digest: Digest
    """`Watch.digest` of the text that the probe has."""


class WithdrawalRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="withdrawal"
):
    """A withdrawal that is handed over."""

    line: Annotated[str, Meta(min_length=1, max_length=signed_text.LONGEST)]
    """The signed line, see `probe.protocol.withdrawal`; the receipt names it by `withdrawal.id_of`."""


Question = FatesRequest | WatchRequest | WithdrawalRequest
"""The type to decode a question as: `kind` decides which."""

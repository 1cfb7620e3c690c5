"""Whether a segment that came may be stored, or is refused and why."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from probe.protocol import envelope, privacy, segment
from probe.protocol.segment import SegmentError

if TYPE_CHECKING:
    from collections.abc import Container

    from probe.protocol.segment import OpenedSegment

SUBJECT_REASON = "subject"
"""The segment came on another probe's subject."""
WATCH_REASON = "unknown_watch"
"""It holds measurements of a watch that isn't served here."""
PRIVACY_REASON = "privacy"
"""Something in it could identify a volunteer: its payload is not kept."""


class Refusal(NamedTuple):
    """A segment that is not stored. `reason` is one of those above or a `segment.Reason`; `payload` is what is kept."""

    id: str
    probe: str
    reason: str
    detail: str
    payload: bytes


def verify(probe: str, raw: bytes, watch_ids: Container[str]) -> OpenedSegment | Refusal:
    """The segment in `raw`, which came on the subject of `probe`, if it may be stored. `watch_ids` are those served."""
    try:
        opened = segment.open(raw)
    except SegmentError as e:
        return _refusal(probe, raw, e.reason, e.detail)
    if opened.segment.probe != probe:
        return _refusal(probe, raw, SUBJECT_REASON, f"signed by {opened.segment.probe}")
    for m in opened.segment.measurements:
        if field := privacy.identifying(m):
            return _refusal(probe, raw, PRIVACY_REASON, field)._replace(payload=b"")
    unknown = next((m.watch for m in opened.segment.measurements if m.watch not in watch_ids), None)
    return opened if unknown is None else _refusal(probe, raw, WATCH_REASON, unknown)


def _refusal(probe: str, raw: bytes, reason: str, detail: str) -> Refusal:
    """A refusal under the segment's id if its own probe sent it with a right signature, else under an id of its own.

    Otherwise anybody could have another probe's segment refused.
    """
    try:
        is_own = envelope.open(raw, "S").signer_id == probe
    except envelope.EnvelopeError:
        is_own = False
    i = segment.segment_id(raw) if is_own else hashlib.blake2b(raw, digest_size=16).hexdigest()
    return Refusal(i, probe, reason, detail[:500], raw)

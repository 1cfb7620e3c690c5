"""What became of the segments that this store has received."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from probe.protocol.receipt import SegmentFate

if TYPE_CHECKING:
    from collections.abc import Collection

    from aggregator.store.store import Store


class KnownFate(NamedTuple):
    """What became of a segment of this probe, and when it was received (milliseconds since the epoch)."""

    probe: str
    state: Literal["stored", "rejected"]
    reason: str
    received_ms: int


def look_up(store: Store, segment_ids: Collection[str]) -> dict[str, KnownFate]:
    """The fates of those of these segments that the store has, by id. Raises StoreError."""
    rows = store.read("segment_fates", ids=list(segment_ids)) if segment_ids else []
    return {row["segment_id"]: KnownFate(row["probe"], row["state"], row["reason"], row["received"]) for row in rows}


def entry(segment_id: str, fate: KnownFate | None) -> SegmentFate:
    """The receipt's entry about a segment; None is a segment that the store does not have."""
    if fate is None:
        return SegmentFate(subject=segment_id, state="unknown")
    return SegmentFate(subject=segment_id, state=fate.state, reason=fate.reason)

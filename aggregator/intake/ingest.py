"""Taking segments in: verify them, look up which are new, insert those, judge them, and give signed receipts.

When ClickHouse or this process dies, NATS delivers the messages again: then ids that are stored are looked up, and only
what is missing is inserted. Batches are taken one after the other, and each has its own time of receipt (`received`):
only the last batch can be incomplete, and what was known at an earlier time never changes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import structlog

from aggregator import metrics
from aggregator.intake import columns, fates
from aggregator.intake.verify import Refusal, verify
from aggregator.judging.judge import judge
from probe.base import clock
from probe.protocol import receipt, segment
from probe.protocol.keys import is_id
from probe.protocol.receipt import Receipt, SegmentFate

if TYPE_CHECKING:
    from aggregator.intake.fates import KnownFate
    from aggregator.judging.rule_set import RuleSet
    from aggregator.store.store import Store
    from probe.protocol.keys import Key
    from probe.protocol.measurement import Measurement, Segment
    from probe.protocol.watch import Watch

log = structlog.get_logger()

_DAY_MS = 86_400_000


class IncomingSegment(NamedTuple):
    """One message: the probe whose subject it came on, and its bytes."""

    probe: str
    raw: bytes


class VerifiedSegment(NamedTuple):
    """A segment that may be stored, with the envelope that it came in."""

    segment: Segment
    raw: bytes


class BatchResult(NamedTuple):
    """The outcome of a batch: a signed receipt for each probe, and the (watch, provider) pairs that have new rows.

    The provider is "" for rows of a reference, which concern every provider of their watch.
    """

    receipts: dict[str, bytes]
    touched: set[tuple[str, str]]


class Ingest:
    """Takes batches into one store. Its calls block, and only one may run at a time."""

    def __init__(
        self,
        store: Store,
        operator: Key,
        watches: Mapping[str, Watch],
        rules: RuleSet,
        now_ms: Callable[[], int] = clock.now_ms,
    ) -> None:
        """`operator` signs the receipts, `watches` are those served, by id; rows are judged under `rules`."""
        self._store = store
        self._operator = operator
        self._watches = watches
        self._rules = rules
        self._now_ms = now_ms
        self._provider_on = lru_cache(maxsize=4096)(self._find_provider)
        self._last_received = 0
        self.complete_ms = 0
        """All that was received up to this time is stored and judged: an answer may claim to know it."""

    def repair(self) -> None:
        """Complete the last batch of an earlier process, which may have died in the middle of it. Raises StoreError."""
        received = self._store.read("last_received")[0]["received"]
        if received:
            rows = self._store.blobs("batch_segments", received=received)
            stored = {row["segment_id"]: segment.open(row["raw"]).segment for row in rows}
            served = {i: s for i, s in stored.items() if all(m.watch in self._watches for m in s.measurements)}
            self._complete(served, dict.fromkeys(served, received))
        self._last_received = self.complete_ms = received

    def take(self, batch: Sequence[IncomingSegment]) -> BatchResult:
        """Store and judge what is new in a batch. Raises StoreError: then take the same batch again."""
        verified, refused = self._verify(batch)
        known = fates.look_up(self._store, [*verified, *refused])
        received = self._last_received = max(self._now_ms(), self._last_received + 1)
        new = {i: v for i, v in verified.items() if i not in known}
        newly_refused = [r for i, r in refused.items() if i not in known]
        self._store.insert("rejected", _rejected(newly_refused, received))
        self._store.insert("segments", columns.segments([(i, *v) for i, v in new.items()], received))
        received_before = {i: f.received_ms for i, f in known.items() if i in verified and f.state == "stored"}
        touched = self._complete({i: verified[i].segment for i in received_before}, received_before)
        touched |= self._add(self._rows({i: v.segment for i, v in new.items()}, dict.fromkeys(new, received)))
        self.complete_ms = received
        _count(new, len(received_before), newly_refused)
        return BatchResult(self._receipts(verified, refused, known), touched)

    def _verify(self, batch: Sequence[IncomingSegment]) -> tuple[dict[str, VerifiedSegment], dict[str, Refusal]]:
        """The segments that may be stored and those refused, by id: each once, however many copies are in the batch."""
        verified: dict[str, VerifiedSegment] = {}
        refused: dict[str, Refusal] = {}
        for message in batch:
            result = verify(message.probe, message.raw, self._watches)
            if isinstance(result, Refusal):
                refused[result.id] = result
            else:
                verified[result.id] = VerifiedSegment(result.segment, message.raw)
        return verified, refused

    # -- storing and judging

    def _rows(self, segments: Mapping[str, Segment], received: Mapping[str, int]) -> list[columns.MeasurementRow]:
        """The rows of segments, both by id; `received` is when each was received, in ms since the epoch."""
        return [r for i, s in segments.items() for r in columns.rows(i, s, received[i], self._provider_of)]

    def _provider_of(self, m: Measurement) -> str:
        """The provider that a measurement counts for; "" for a reference's, and where the network changed meanwhile."""
        v = m.vantage
        if v.role == "reference" or v.changed:
            return ""
        return self._provider_on(m.watch, v.asn, v.access, m.at_ms // _DAY_MS)

    def _find_provider(self, watch: str, asn: int, access: str, day: int) -> str:
        """The provider by a watch's table, which changes at whole days (UTC); `day` counts them since the epoch."""
        return self._watches[watch].provider_of(asn, access, day * _DAY_MS)

    def _complete(self, segments: Mapping[str, Segment], received: Mapping[str, int]) -> set[tuple[str, str]]:
        """Insert the missing rows of segments that were stored before, each with its segment's time of receipt."""
        if not segments:
            return set()
        stored = self._store.read("measurements_stored", ids=list(segments), received=sorted(set(received.values())))
        return self._add(self._rows(segments, received), {row["measurement_id"] for row in stored})

    def _add(self, rows: Sequence[columns.MeasurementRow], stored: Container[str] = ()) -> set[tuple[str, str]]:
        """Insert the rows that aren't `stored`, one block for each time of receipt, and judge all rows of that time.

        Returns the (watch, provider) pairs of all these rows, as `BatchResult.touched`.
        """
        for received in sorted({r.received_ms for r in rows}):
            missing = [r for r in rows if r.received_ms == received and r.id not in stored]
            self._store.insert("measurements", columns.measurements(missing))
            judge(self._store, self._rules, received, received)
        return {
            (r.measurement.watch, r.provider) for r in rows if r.provider or r.measurement.vantage.role == "reference"
        }

    # -- receipts

    def _receipts(
        self, verified: Mapping[str, VerifiedSegment], refused: Mapping[str, Refusal], known: Mapping[str, KnownFate]
    ) -> dict[str, bytes]:
        """The signed receipt of each probe: what became of a segment the first time holds for every copy."""
        entries: dict[str, list[SegmentFate]] = {}
        for i, v in verified.items():
            new = SegmentFate(subject=i, state="stored")
            entries.setdefault(v.segment.probe, []).append(fates.entry(i, known[i]) if i in known else new)
        for i, r in refused.items():
            new = SegmentFate(subject=i, state="rejected", reason=r.reason)
            entries.setdefault(r.probe, []).append(fates.entry(i, known[i]) if i in known else new)
        now = self._now_ms()
        return {
            probe: receipt.sign(Receipt(probe=probe, issued_ms=now, entries=tuple(of_probe)), self._operator)
            for probe, of_probe in entries.items()
            if is_id(probe, "user")
        }


def _rejected(refusals: Collection[Refusal], received_ms: int) -> columns.Columns:
    """The columns of the table `rejected`."""
    return {
        "segment_id": [r.id for r in refusals],
        "probe": [r.probe for r in refusals],
        "received": [received_ms] * len(refusals),
        "reason": [r.reason for r in refusals],
        "detail": [r.detail for r in refusals],
        "payload": [r.payload for r in refusals],
    }


def _count(new: Mapping[str, VerifiedSegment], received_before: int, refused: Iterable[Refusal]) -> None:
    metrics.SEGMENTS.labels("new").inc(len(new))
    metrics.SEGMENTS.labels("again").inc(received_before)
    metrics.MEASUREMENTS.inc(sum(len(v.segment.measurements) for v in new.values()))
    for r in refused:
        metrics.REJECTED.labels(r.reason).inc()
        log.warning("segment refused", segment=r.id, probe=r.probe, reason=r.reason, detail=r.detail)

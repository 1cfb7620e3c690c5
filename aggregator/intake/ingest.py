"""Taking segments in: verify, look up which are new, insert, judge, and only then say so in signed receipts.

Where ClickHouse or this process dies, the messages come again: ids that are there already are looked up, and only
what is missing is inserted. Batches are taken one after the other, and each has an instant of its own (`received`), so
that only the last one can be half there, and what was known at an earlier instant never changes.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

import structlog

from aggregator import metrics
from aggregator.intake import columns
from aggregator.judging.judge import judge
from probe.base.errors import UserError
from probe.protocol import envelope, privacy, receipt, segment, watch_file, withdrawal
from probe.protocol.keys import is_id
from probe.protocol.receipt import KeptWithdrawal, Receipt, SegmentFate
from probe.protocol.segment import SegmentError

if TYPE_CHECKING:
    from aggregator.judging.rule_set import RuleSet
    from aggregator.store.store import Store
    from probe.protocol.keys import Key
    from probe.protocol.measurement import Measurement, Segment
    from probe.protocol.watch import Watch

log = structlog.get_logger()

_DAY_MS = 86_400_000

SUBJECT_REASON = "subject"
"""Refused: the segment came on another probe's subject."""
WATCH_REASON = "unknown_watch"
"""Refused: it holds measurements of a watch that isn't served here."""
PRIVACY_REASON = "privacy"
"""Refused, and its payload destroyed: something in it could identify a volunteer."""


class IncomingSegment(NamedTuple):
    """One message: whose subject it came on, and its bytes."""

    probe: str
    raw: bytes


class VerifiedSegment(NamedTuple):
    """A segment whose signature is right, with its envelope."""

    segment: Segment
    raw: bytes


class Fate(NamedTuple):
    """What became of a segment that was seen before; `received_ms` is when."""

    state: Literal["stored", "rejected"]
    reason: str
    received_ms: int


class Refusal(NamedTuple):
    """A segment that is not taken in, and why. `payload` is what is kept of it."""

    id: str
    probe: str
    reason: str
    detail: str
    payload: bytes


class BatchResult(NamedTuple):
    """What came of a batch: the signed receipt of each probe, and the (watch, provider) pairs with new rows.

    The provider is "" for references, which concern every provider of their watch.
    """

    receipts: dict[str, bytes]
    touched: set[tuple[str, str]]


class Ingest:
    """Takes batches into one store. Its calls block and are not for two threads at once, except `answer`."""

    def __init__(
        self,
        store: Store,
        operator: Key,
        watches: Mapping[str, Watch],
        rules: RuleSet,
        now_ms: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        self._store = store
        self._operator = operator
        self._watches = watches
        self._rules = rules
        self._now_ms = now_ms
        self._provider_on = lru_cache(maxsize=4096)(self._find_provider)
        self._instant = 0
        self.complete_ms = 0
        """Everything received up to here is stored and judged: what an answer may call known."""

    def repair(self) -> None:
        """Complete the last batch of an earlier process, which may have died half-way. Raises StoreError."""
        received = self._store.read("last_received")[0]["received"]
        if received:
            found = self._store.blobs("batch_segments", received=received)
            opened = {row["segment_id"]: segment.open(row["raw"]).segment for row in found}
            served = {i: s for i, s in opened.items() if all(m.watch in self._watches for m in s.measurements)}
            self._complete(served, dict.fromkeys(served, received))
        self._instant = self.complete_ms = received

    def take(self, batch: Sequence[IncomingSegment]) -> BatchResult:
        """Store a batch, whatever of it isn't stored yet, and judge it. Raises StoreError: then take it again."""
        opened, refused = self._open(batch)
        fates = self._fates([*opened, *refused])
        received = self._instant = max(self._now_ms(), self._instant + 1)
        new = {i: v for i, v in opened.items() if i not in fates}
        newly_refused = [r for i, r in refused.items() if i not in fates]
        self._store.insert("rejected", _rejected(newly_refused, received))
        self._store.insert("segments", columns.segments([(i, *v) for i, v in new.items()], received))
        again = {i: f.received_ms for i, f in fates.items() if i in opened and f.state == "stored"}
        touched = self._complete({i: opened[i].segment for i in again}, again)
        touched |= self._add(self._rows({i: v.segment for i, v in new.items()}, dict.fromkeys(new, received)))
        self.complete_ms = received
        _count(new, len(again), newly_refused)
        return BatchResult(self._receipts(opened, refused, fates), touched)

    def answer(self, probe: str, ids: Sequence[str], *, sure: bool = True) -> bytes:
        """The signed receipt about segments that a probe asks after. Raises StoreError.

        One that was never seen here is `unknown`, or left out where we can't be `sure` that it isn't under way.
        """
        fates = self._fates(ids, probe)
        entries = [_entry(i, fates.get(i)) for i in ids if sure or i in fates]
        return receipt.sign(Receipt(probe=probe, issued_ms=self._now_ms(), entries=tuple(entries)), self._operator)

    def withdraw(self, probe: str, line: str) -> bytes:
        """Keep a probe's withdrawal; the signed receipt that names it. Raises UserError for one that isn't the probe's.

        Raises StoreError.
        """
        asked = withdrawal.read(line)
        if asked.probe != probe:
            raise UserError(f"withdrawal: speaks for {asked.probe}, and came from {probe}")
        if not self._store.read("withdrawn", probe=probe, line=line)[0]["kept"]:
            row = {"probe": probe, "asked": asked.asked_ms, "received": self._now_ms(), "line": line}
            self._store.insert("withdrawals", {name: [value] for name, value in row.items()})
            log.warning("a probe has withdrawn: its rows are shown no more", probe=probe)
        entry = KeptWithdrawal(subject=withdrawal.id_of(line))
        return receipt.sign(Receipt(probe=probe, issued_ms=self._now_ms(), entries=(entry,)), self._operator)

    def renewal(self, name: str, digest: str) -> bytes:
        """The signed watch of this name as it is served now; empty where `digest` is its own, or there is none.

        Raises StoreError.
        """
        watch = self._watches.get(name)
        if watch is None or watch.digest == digest:
            return b""
        kept = next((r for r in self._store.read("watch_texts") if r["watch"] == name), None)
        if kept is None or kept["digest"] != watch.digest:
            return b""
        return watch_file.sign(kept["text"].encode(), self._operator)

    # -- what came

    def _open(self, batch: Sequence[IncomingSegment]) -> tuple[dict[str, VerifiedSegment], dict[str, Refusal]]:
        """The segments that may be stored, and the others, by id: once each, however often they came."""
        opened: dict[str, VerifiedSegment] = {}
        refused: dict[str, Refusal] = {}
        for message in batch:
            found = self._check(message)
            if isinstance(found, Refusal):
                refused[found.id] = found
            else:
                opened[found.id] = VerifiedSegment(found.segment, message.raw)
        return opened, refused

    def _check(self, message: IncomingSegment) -> segment.OpenedSegment | Refusal:
        try:
            opened = segment.open(message.raw)
        except SegmentError as e:
            return _refusal(message, e.reason, e.detail)
        if opened.segment.probe != message.probe:
            return _refusal(message, SUBJECT_REASON, f"signed by {opened.segment.probe}")
        for m in opened.segment.measurements:
            if field := privacy.identifying(m):
                return _refusal(message, PRIVACY_REASON, field)._replace(payload=b"")
        unknown = next((m.watch for m in opened.segment.measurements if m.watch not in self._watches), None)
        return opened if unknown is None else _refusal(message, WATCH_REASON, unknown)

    # -- what is stored

    def _fates(self, ids: Iterable[str], probe: str | None = None) -> dict[str, Fate]:
        asked = list(ids)
        found = self._store.read("segment_fates", ids=asked) if asked else []
        return {
            row["segment_id"]: Fate(row["state"], row["reason"], row["received"])
            for row in found
            if probe in (None, row["probe"])
        }

    def _rows(self, segments: Mapping[str, Segment], received: Mapping[str, int]) -> list[columns.MeasurementRow]:
        return [r for i, s in segments.items() for r in columns.rows(i, s, received[i], self._provider_of)]

    def _provider_of(self, m: Measurement) -> str:
        """The provider that a measurement counts for; "" for none: a reference's, or a network that changed."""
        v = m.vantage
        if v.role == "reference" or v.changed:
            return ""
        return self._provider_on(m.watch, v.asn, v.access, m.at_ms // _DAY_MS)

    def _find_provider(self, watch: str, asn: int, access: str, day: int) -> str:
        """A watch's table goes by days (UTC); `day` counts them since the epoch."""
        return self._watches[watch].provider_of(asn, access, day * _DAY_MS)

    def _complete(self, segments: Mapping[str, Segment], received: Mapping[str, int]) -> set[tuple[str, str]]:
        """Insert what is missing of segments that were stored before, each at its own instant."""
        if not segments:
            return set()
        there = self._store.read("measurements_there", ids=list(segments), received=sorted(set(received.values())))
        present = {row["measurement_id"] for row in there}
        return self._add(self._rows(segments, received), present)

    def _add(self, rows: Sequence[columns.MeasurementRow], present: Container[str] = ()) -> set[tuple[str, str]]:
        """Insert the rows that aren't there, one block for each instant, and judge all that came at it."""
        for instant in sorted({r.received_ms for r in rows}):
            missing = [r for r in rows if r.received_ms == instant and r.id not in present]
            self._store.insert("measurements", columns.measurements(missing))
            judge(self._store, self._rules, instant, instant)
        return {
            (r.measurement.watch, r.provider) for r in rows if r.provider or r.measurement.vantage.role == "reference"
        }

    # -- what is said about it

    def _receipts(
        self, opened: Mapping[str, VerifiedSegment], refused: Mapping[str, Refusal], fates: Mapping[str, Fate]
    ) -> dict[str, bytes]:
        entries: dict[str, list[SegmentFate]] = {}
        for i, v in opened.items():
            entries.setdefault(v.segment.probe, []).append(_entry(i, fates.get(i, Fate("stored", "", 0))))
        for i, r in refused.items():
            entries.setdefault(r.probe, []).append(_entry(i, fates.get(i, Fate("rejected", r.reason, 0))))
        now = self._now_ms()
        return {
            probe: receipt.sign(Receipt(probe=probe, issued_ms=now, entries=tuple(e)), self._operator)
            for probe, e in entries.items()
            if is_id(probe, "user")
        }


def _refusal(message: IncomingSegment, reason: str, detail: str) -> Refusal:
    """Only who signed a segment can have it refused under its id; what else came has an id of its own."""
    try:
        mine = envelope.open(message.raw, "S").signer_id == message.probe
    except envelope.EnvelopeError:
        mine = False
    i = segment.segment_id(message.raw) if mine else hashlib.blake2b(message.raw, digest_size=16).hexdigest()
    return Refusal(i, message.probe, reason, detail[:500], message.raw)


def _rejected(refusals: Sequence[Refusal], received_ms: int) -> columns.Columns:
    return {
        "segment_id": [r.id for r in refusals],
        "probe": [r.probe for r in refusals],
        "received": [received_ms] * len(refusals),
        "reason": [r.reason for r in refusals],
        "detail": [r.detail for r in refusals],
        "payload": [r.payload for r in refusals],
    }


def _entry(segment_id: str, fate: Fate | None) -> SegmentFate:
    if fate is None:
        return SegmentFate(subject=segment_id, state="unknown")
    return SegmentFate(subject=segment_id, state=fate.state, reason=fate.reason)


def _count(new: Mapping[str, VerifiedSegment], again: int, refused: Iterable[Refusal]) -> None:
    metrics.SEGMENTS.labels("new").inc(len(new))
    metrics.SEGMENTS.labels("again").inc(again)
    metrics.MEASUREMENTS.inc(sum(len(v.segment.measurements) for v in new.values()))
    for r in refused:
        metrics.REJECTED.labels(r.reason).inc()
        log.warning("segment refused", segment=r.id, probe=r.probe, reason=r.reason, detail=r.detail)

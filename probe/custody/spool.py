"""The spool: measurements stay on this disk until the aggregator's signed receipt frees them.

SQLite in WAL mode with `synchronous=FULL`: what a call has written survives a power cut. A run's measurements are added
together and sealed together. Every call may block until the disk has flushed: call it in a thread, with
`probe.base.disk_thread.call`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec
import structlog

from probe.base import clock
from probe.custody import spool_statements
from probe.custody.spool_database import errors, month, open_database, reading, transaction
from probe.custody.spool_lock import SpoolError, lock_spool
from probe.measure.bytes_on_wire import wire_bytes
from probe.protocol import segment
from probe.protocol.measurement import Measurement
from probe.protocol.receipt import SegmentFate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from probe.protocol.keys import Key
    from probe.protocol.receipt import Receipt
    from probe.protocol.segment import SealedSegment

log = structlog.get_logger()

MAX_BYTES = 256 * 1024 * 1024

_Row = tuple[int, Measurement]
"""A row of `pending`: its number and its measurement."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line of the ledger: a sealed segment and its state. `freed_ms` is None while it is spooled."""

    segment_id: str
    sequence: int
    sealed_ms: int
    measurements: int
    state: Literal["spooled", "stored", "rejected"]
    reason: str
    freed_ms: int | None


@dataclass(frozen=True, slots=True)
class UnsentSegment:
    """A segment to publish. `attempt` counts the receipts in which it is unknown to the store."""

    id: str
    raw: bytes
    attempt: int


class SentSegment(NamedTuple):
    """A segment that NATS has acknowledged and no receipt has freed yet."""

    segment_id: str
    sent_ms: int | None
    """When it was acknowledged or last asked about; None when the store does not know it, so that it is sent again."""
    attempt: int


class Spool:
    """One probe's spool, opened for writing by one process at a time."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, is_locked: bool = False) -> None:
        """Open or make the spool (file mode 0600, directory 0700), which never grows above `max_bytes`.

        It is locked until `close`, unless the caller holds the lock already (`is_locked`).
        Raises SpoolError if it can't be used, is in use, or was made by a newer version.
        """
        self.path = path
        self._lock = None if is_locked else lock_spool(path)
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            with self._errors():
                self._db = open_database(path, max_bytes)
        except OSError as e:
            self._unlock()
            raise SpoolError(f"spool {path}: can't be opened: {e.strerror}") from e
        except SpoolError:
            self._unlock()
            raise

    def add(self, measurements: Sequence[Measurement], now_ms: int | None = None) -> None:
        """Spool a whole run, or nothing of it.

        A measurement that the wire format would refuse is kept without its steps, and with the reason as `internal`.
        """
        now_ms = clock.now_ms() if now_ms is None else now_ms
        fit = [segment.fit(m) for m in measurements]
        rows = [(m.run_id, now_ms, msgspec.json.encode(m)) for m in fit]
        used = wire_bytes(fit)
        with self._transaction():
            self._db.executemany("INSERT INTO pending (run_id, added_ms, body) VALUES (?, ?, ?)", rows)
            self._db.execute(spool_statements.TRAFFIC, (month(now_ms), used))

    def seal_due(self, key: Key, now_ms: int, seal_after_ms: int) -> list[SealedSegment]:
        """Seal the runs that have waited for `seal_after_ms`, and those that fill a segment. Runs are kept whole.

        A run that is too large for one segment is split and logged: the verdict may then be based on a part of it.
        """
        sealed = []
        while batch := self._due(now_ms, seal_after_ms):
            sealed.append(self._seal(batch, key, now_ms))
        return sealed

    def unsent(self, limit: int = 64) -> list[UnsentSegment]:
        """The oldest segments that NATS has not acknowledged."""
        with self._errors():
            return [UnsentSegment(*row) for row in self._db.execute(spool_statements.UNSENT, (limit,))]

    def mark_sent(self, segment_id: str, now_ms: int) -> None:
        """Note that NATS acknowledged a segment. That frees nothing: only a receipt does."""
        with self._errors():
            self._db.execute(spool_statements.MARK_SENT, (now_ms, segment_id))

    def overdue(self, now_ms: int, timeout_ms: int, limit: int = 64) -> list[str]:
        """Ids sent at least `timeout_ms` ago without a receipt. The time doubles with each attempt, up to 64-fold."""
        with self._errors():
            return [i for (i,) in self._db.execute(spool_statements.OVERDUE, (now_ms, timeout_ms, limit))]

    def settle(self, receipt: Receipt, now_ms: int) -> list[str]:
        """Free what a receipt says is stored or rejected, and send again what it says is unknown. Returns the freed."""
        freed = []
        with self._transaction():
            for entry in (e for e in receipt.entries if isinstance(e, SegmentFate)):
                if entry.state == "unknown":
                    self._db.execute(
                        "UPDATE sent SET sent_ms = NULL, attempt = attempt + 1 WHERE segment_id = ?", (entry.subject,)
                    )
                elif self._db.execute(
                    spool_statements.SETTLE, (entry.state, entry.reason, now_ms, entry.subject)
                ).rowcount:
                    freed.append(entry.subject)
                    self._db.execute("DELETE FROM sent WHERE segment_id = ?", (entry.subject,))
        return freed

    def pending(self) -> int:
        """How many measurements are not sealed yet."""
        return self._number("SELECT count(*) FROM pending")

    def spooled(self) -> int:
        """How many segments wait for their receipt."""
        return self._number("SELECT count(*) FROM segments WHERE state = 'spooled'")

    def traffic(self, now_ms: int) -> int:
        """Estimated bytes on the wire that measuring and delivering took in this month (UTC)."""
        return self._number(spool_statements.USED, month(now_ms))

    def add_traffic(self, used: int, now_ms: int) -> None:
        """Count bytes that are in no measurement, such as a delivery's."""
        with self._errors():
            self._db.execute(spool_statements.TRAFFIC, (month(now_ms), used))

    def oldest_ms(self) -> int | None:
        """When the oldest segment that waits for its receipt was sealed; None when none waits."""
        with self._errors():
            sealed_ms = self._db.execute(spool_statements.OLDEST).fetchone()[0]
        return None if sealed_ms is None else int(sealed_ms)

    def ledger(self) -> list[LedgerEntry]:
        """Every segment ever sealed here, in order."""
        with self._errors():
            return [LedgerEntry(*row) for row in self._db.execute(spool_statements.LEDGER)]

    def sent(self) -> list[SentSegment]:
        """The segments that NATS has acknowledged and no receipt has freed: what `restore_sent` takes."""
        with self._errors():
            return [SentSegment(*row) for row in self._db.execute("SELECT segment_id, sent_ms, attempt FROM sent")]

    def restore_sent(self, sent: Sequence[SentSegment]) -> None:
        """Take over what another process knew about acknowledged segments; the spool's file does not hold it."""
        with self._errors():
            self._db.executemany("INSERT OR REPLACE INTO sent VALUES (?, ?, ?)", sent)

    def close(self) -> None:
        """Close the file, and free the lock if this object took it. Doing so twice is harmless."""
        self._db.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def _due(self, now_ms: int, seal_after_ms: int) -> list[list[_Row]]:
        """The oldest runs that make up one segment, if it is full or has waited long enough."""
        batch: list[str] = []
        count, full = 0, False
        with self._errors():
            runs = self._db.execute(spool_statements.RUNS).fetchall()
        for run_id, size, _ in runs:
            full = bool(batch) and count + size > segment.MAX_MEASUREMENTS
            if full:
                break
            batch.append(run_id)
            count += size
        # The absolute value, because a clock that was set back must not delay anything.
        if runs and (full or count >= segment.MAX_MEASUREMENTS or abs(now_ms - runs[0][2]) >= seal_after_ms):
            return [self._run(run_id) for run_id in batch]
        return []

    def _run(self, run_id: str) -> list[_Row]:
        with self._errors():
            rows = self._db.execute("SELECT n, body FROM pending WHERE run_id = ? ORDER BY n", (run_id,)).fetchall()
        return [(n, msgspec.json.decode(body, type=Measurement)) for n, body in rows]

    def _seal(self, runs: list[list[_Row]], key: Key, now_ms: int) -> SealedSegment:
        """Seal as many of the runs as fit into one segment, at least one measurement."""
        rows = [row for run in runs for row in run]
        sequence = self._number("SELECT coalesce(max(sequence), 0) + 1 FROM segments")
        try:
            sealed = segment.seal([m for _, m in rows], key, sequence, now_ms)
        except segment.SegmentError as e:
            if len(runs) > 1:
                return self._seal(runs[: len(runs) // 2], key, now_ms)
            if len(rows) == 1:
                rows = [(rows[0][0], segment.without_steps(rows[0][1], f"too large to send: {e.detail}"))]
                return self._seal([rows], key, now_ms)
            log.warning("a run is too large for one segment and is split", run=rows[0][1].run_id, size=e.detail)
            return self._seal([rows[: len(rows) // 2]], key, now_ms)
        with self._transaction():
            self._db.executemany("DELETE FROM pending WHERE n = ?", [(n,) for n, _ in rows])
            self._db.execute(spool_statements.SEAL, (sequence, sealed.id, now_ms, sealed.count, sealed.raw))
        return sealed

    def _number(self, query: str, *values: object) -> int:
        with self._errors():
            return int(self._db.execute(query, values).fetchone()[0])

    def _transaction(self) -> AbstractContextManager[None]:
        return transaction(self.path, self._db)

    def _errors(self) -> AbstractContextManager[None]:
        return errors(self.path)


def read_ledger(path: Path) -> list[LedgerEntry]:
    """The ledger of a spool that another process may have open. Raises SpoolError."""
    with reading(path) as db:
        return [LedgerEntry(*row) for row in db.execute(spool_statements.LEDGER)]

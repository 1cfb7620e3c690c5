"""The spool: what was measured stays on this disk until the aggregator's signed receipt frees it.

SQLite in WAL mode with `synchronous=FULL`: what a call has written is there after a power cut. A run's measurements
come in together and are sealed together. Every call blocks for a disk flush: call it in a thread, see
`probe.agent.agent`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sqlite3
import time
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Literal

import msgspec
import structlog

from probe.base.errors import UserError
from probe.base.lock import FileLock, LockHeldError
from probe.custody import spool_statements
from probe.home.files import SPOOL_LOCK
from probe.measure.bytes_on_wire import wire_bytes
from probe.protocol import segment
from probe.protocol.measurement import Measurement
from probe.protocol.receipt import SegmentFate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from probe.protocol.keys import Key
    from probe.protocol.receipt import Receipt
    from probe.protocol.segment import SealedSegment

log = structlog.get_logger()

FORMAT = 1
MAX_BYTES = 256 * 1024 * 1024
_PAGE = 4096

_Row = tuple[int, Measurement]
"""A row of `pending`: its number and what is in it."""


class SpoolError(UserError):
    """The spool can't be opened, read or written; the message names the file."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line of the ledger: a sealed segment and what became of it. `freed_ms` is None while it is spooled."""

    segment_id: str
    sequence: int
    sealed_ms: int
    measurements: int
    state: Literal["spooled", "stored", "rejected"]
    reason: str
    freed_ms: int | None


@dataclass(frozen=True, slots=True)
class UnsentSegment:
    """A segment to publish. `attempt` counts how often the store said that it doesn't know it."""

    id: str
    raw: bytes
    attempt: int


class Spool:
    """One probe's outbox, opened for writing by one process at a time."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        """Open or make the spool (file mode 0600, directory 0700), which then never grows above `max_bytes`.

        Raises SpoolError for one that can't be used, is in use, or was made by a newer version.
        """
        self.path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # The process id is for `panic` and `uninstall`, which stop the process.
            self._lock = FileLock(path.with_name(SPOOL_LOCK), str(os.getpid()))
        except LockHeldError:
            raise SpoolError(f"spool {path}: another probe is using it; stop that one first") from None
        except OSError as e:
            raise SpoolError(f"spool {path}: can't be opened: {e.strerror}") from e
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            with self._errors():
                self._db = self._open(max_bytes)
        except OSError as e:
            self._lock.release()
            raise SpoolError(f"spool {path}: can't be opened: {e.strerror}") from e
        except SpoolError:
            self._lock.release()
            raise

    def add(self, measurements: Sequence[Measurement], now_ms: int | None = None) -> None:
        """Keep a whole run, or nothing of it.

        A measurement that the wire format would refuse is kept as `internal`, without steps.
        """
        now_ms = now_ms if now_ms is not None else round(time.time() * 1000)
        fit = [segment.fit(m) for m in measurements]
        rows = [(m.run_id, now_ms, msgspec.json.encode(m)) for m in fit]
        used = wire_bytes(fit)
        with self._transaction():
            self._db.executemany("INSERT INTO pending (run_id, added_ms, body) VALUES (?, ?, ?)", rows)
            self._db.execute(spool_statements.TRAFFIC, (month(now_ms), used))

    def seal_due(self, key: Key, now_ms: int, seal_after_ms: int) -> list[SealedSegment]:
        """Seal the runs that have waited for `seal_after_ms`, and those that fill a segment. Runs stay whole.

        One that alone is too large for a segment is split, which the log says: its verdict sees a part of it.
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
        """NATS acknowledged it. That frees nothing: only a receipt does."""
        with self._errors():
            self._db.execute(spool_statements.MARK_SENT, (now_ms, segment_id))

    def overdue(self, now_ms: int, timeout_ms: int, limit: int = 64) -> list[str]:
        """Ids sent `timeout_ms` ago or earlier without a receipt. The time doubles with each attempt, up to 64-fold."""
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
        """Bytes that measuring and delivering took in this month (UTC), as estimated on the wire."""
        return self._number(spool_statements.USED, month(now_ms))

    def add_traffic(self, used: int, now_ms: int) -> None:
        """Count bytes that no measurement shows, such as a delivery's."""
        with self._errors():
            self._db.execute(spool_statements.TRAFFIC, (month(now_ms), used))

    def oldest_ms(self) -> int | None:
        """When the oldest segment that waits for its receipt was sealed; None when none waits."""
        with self._errors():
            found = self._db.execute(spool_statements.OLDEST).fetchone()[0]
        return None if found is None else int(found)

    def ledger(self) -> list[LedgerEntry]:
        """Every segment ever sealed here, in order."""
        with self._errors():
            return [LedgerEntry(*row) for row in self._db.execute(spool_statements.LEDGER)]

    def close(self) -> None:
        """Close the file and let the next process in. Doing so twice is harmless."""
        self._db.close()
        self._lock.release()

    def _open(self, max_bytes: int) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            db.executescript(spool_statements.PRAGMAS)
            if not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                schema = resources.files(__package__).joinpath("spool.sql").read_text(encoding="utf-8")
                db.executescript(f"BEGIN; {schema} COMMIT;")
            self._refuse_newer(db)
            db.execute(f"PRAGMA max_page_count = {max_bytes // _PAGE}")
            db.execute(spool_statements.SENT)
        except BaseException:
            db.close()
            raise
        return db

    def _refuse_newer(self, db: sqlite3.Connection) -> None:
        (found,) = db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
        if found > FORMAT:
            raise SpoolError(
                f"spool {self.path}: made by a newer version (format {found}, this one writes {FORMAT}): "
                "update Blockonset"
            )

    def _due(self, now_ms: int, seal_after_ms: int) -> list[list[_Row]]:
        """The oldest runs that make up one segment, if it is full or its time has come."""
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
        # A clock that was set back must not keep anything waiting: hence the absolute value.
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

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as e:
            raise named(self.path, e) from e


def read_ledger(path: Path) -> list[LedgerEntry]:
    """The ledger of a spool that another process may have open. Raises SpoolError."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            return [LedgerEntry(*row) for row in db.execute(spool_statements.LEDGER)]
    except sqlite3.Error as e:
        raise named(path, e) from e


def named(path: Path, error: sqlite3.Error) -> SpoolError:
    """The error with the file in it, and what to do."""
    match error.sqlite_errorcode & 0xFF if hasattr(error, "sqlite_errorcode") else 0:
        case sqlite3.SQLITE_FULL:
            hint = "the disk is full, or the spool has reached its limit; nothing unsent is dropped, so make room"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            hint = "the file is damaged; move it aside to start a new one, and keep it: unsent segments may be in it"
        case _:
            hint = "can't be used"
    return SpoolError(f"spool {path}: {hint} ({error})")


def month(now_ms: int) -> str:
    """The UTC month that traffic is counted under."""
    return dt.datetime.fromtimestamp(now_ms / 1000, dt.UTC).strftime("%Y-%m")

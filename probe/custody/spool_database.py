"""Opens the spool's SQLite file, and turns SQLite's errors into messages that say what to do."""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
from importlib import resources
from typing import TYPE_CHECKING

from probe.custody import spool_statements
from probe.custody.spool_lock import SpoolError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT = 1
_PAGE = 4096


def open_database(path: Path, max_bytes: int) -> sqlite3.Connection:
    """Open a spool for writing and make its tables if there are none. The file never grows above `max_bytes`.

    Raises SpoolError for a spool of a newer version, and sqlite3.Error.
    """
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.executescript(spool_statements.PRAGMAS)
        if not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            schema = resources.files(__package__).joinpath("spool.sql").read_text(encoding="utf-8")
            db.executescript(f"BEGIN; {schema} COMMIT;")
        _refuse_newer(path, db)
        db.execute(f"PRAGMA max_page_count = {max_bytes // _PAGE}")
        db.execute(spool_statements.SENT)
    except BaseException:
        db.close()
        raise
    return db


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection to a spool that another process may have open. Raises SpoolError."""
    with (
        errors(path),
        contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db,
    ):
        yield db


@contextlib.contextmanager
def transaction(path: Path, db: sqlite3.Connection) -> Iterator[None]:
    """Write everything that the block writes, or nothing of it. Raises SpoolError."""
    with errors(path):
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise


@contextlib.contextmanager
def errors(path: Path) -> Iterator[None]:
    """Raise SQLite's errors as SpoolError with the file's name and what to do."""
    try:
        yield
    except sqlite3.Error as e:
        raise SpoolError(f"spool {path}: {_hint(e)} ({e})") from e


def month(now_ms: int) -> str:
    """The UTC month under which traffic is counted, as YYYY-MM."""
    return dt.datetime.fromtimestamp(now_ms / 1000, dt.UTC).strftime("%Y-%m")


def _refuse_newer(path: Path, db: sqlite3.Connection) -> None:
    (version,) = db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    if version > FORMAT:
        raise SpoolError(
            f"spool {path}: made by a newer version (format {version}, this one writes {FORMAT}): update Blockonset"
        )


def _hint(error: sqlite3.Error) -> str:
    match error.sqlite_errorcode & 0xFF if hasattr(error, "sqlite_errorcode") else 0:
        case sqlite3.SQLITE_FULL:
            return "the disk is full, or the spool has reached its limit; nothing unsent is dropped, so make room"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return "the file is damaged; move it aside to start a new one, and keep it: it may hold unsent segments"
        case _:
            return "can't be used"

"""A read-only view of a spool that a probe may have open, for `status`, `show` and `uninstall`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from probe.custody import spool_statements
from probe.custody.spool_database import month, reading

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class SpoolView:
    """What a spool holds, without its measurements: counts, and the bytes of this month."""

    pending: int
    spooled: int
    spooled_bytes: int
    oldest_ms: int | None
    stored: int
    rejected: int
    month_bytes: int
    last_raw: bytes | None
    """The newest segment that still has its bytes."""


EMPTY = SpoolView(0, 0, 0, None, 0, 0, 0, None)
"""A spool that is empty or doesn't exist."""


def view(path: Path, now_ms: int) -> SpoolView:
    """The view of a spool that another process may have open. Raises SpoolError."""
    if not path.exists():
        return EMPTY
    with reading(path) as db:
        if not db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'traffic'").fetchone()[0]:
            return EMPTY  # its tables are being made
        (pending,) = db.execute("SELECT count(*) FROM pending").fetchone()
        counts = dict(db.execute("SELECT state, count(*) FROM segments GROUP BY state").fetchall())
        (used,) = db.execute(spool_statements.USED, (month(now_ms),)).fetchone()
        size, oldest = db.execute(spool_statements.WAITING).fetchone()
        last = db.execute(spool_statements.LAST).fetchone()
    return SpoolView(
        pending=pending,
        spooled=counts.get("spooled", 0),
        spooled_bytes=size,
        oldest_ms=oldest,
        stored=counts.get("stored", 0),
        rejected=counts.get("rejected", 0),
        month_bytes=used,
        last_raw=last[0] if last else None,
    )

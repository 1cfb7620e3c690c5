"""The spool's SQL statements. Its tables are in spool.sql."""

PRAGMAS = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA fullfsync = ON;             -- macOS: flush the drive's own cache, too
PRAGMA checkpoint_fullfsync = ON;
PRAGMA temp_store = MEMORY;
"""

# The segments that NATS has acknowledged. A probe's worker hands its rows to the next one (`Spool.sent`). They are lost
# when the probe ends: then the segments are sent again, which does no harm.
SENT = """
CREATE TEMP TABLE sent
(
    segment_id  TEXT PRIMARY KEY,
    sent_ms     INTEGER,                   -- NULL: unknown to the store, so send it again
    attempt     INTEGER NOT NULL DEFAULT 0
)
"""
UNSENT = """
SELECT segment_id, raw, coalesce(attempt, 0) FROM segments LEFT JOIN sent USING (segment_id)
WHERE state = 'spooled' AND sent_ms IS NULL ORDER BY sequence LIMIT ?
"""
# A receipt can arrive before NATS' acknowledgement: then there is nothing left to mark.
MARK_SENT = """
INSERT INTO sent SELECT segment_id, ?, 0 FROM segments WHERE segment_id = ? AND state = 'spooled'
ON CONFLICT DO UPDATE SET sent_ms = excluded.sent_ms
"""
OVERDUE = """
SELECT segment_id FROM segments JOIN sent USING (segment_id)
WHERE state = 'spooled' AND abs(? - sent_ms) >= ? * (1 << min(attempt, 6)) ORDER BY sequence LIMIT ?
"""
LEDGER = "SELECT segment_id, sequence, sealed_ms, measurements, state, reason, freed_ms FROM segments ORDER BY sequence"
SEAL = (
    "INSERT INTO segments (sequence, segment_id, sealed_ms, measurements, state, raw) VALUES (?, ?, ?, ?, 'spooled', ?)"
)
SETTLE = """
UPDATE segments SET state = ?, reason = ?, freed_ms = ?, raw = NULL WHERE segment_id = ? AND state = 'spooled'
"""
RUNS = "SELECT run_id, count(*), min(added_ms) FROM pending GROUP BY run_id ORDER BY min(n)"
TRAFFIC = "INSERT INTO traffic VALUES (?, ?) ON CONFLICT (month) DO UPDATE SET bytes = bytes + excluded.bytes"
USED = "SELECT coalesce(sum(bytes), 0) FROM traffic WHERE month = ?"
OLDEST = "SELECT min(sealed_ms) FROM segments WHERE state = 'spooled'"
WAITING = "SELECT coalesce(sum(length(raw)), 0), min(sealed_ms) FROM segments WHERE state = 'spooled'"
LAST = "SELECT raw FROM segments WHERE state = 'spooled' ORDER BY sequence DESC LIMIT 1"

-- The probe's spool. Runs wait in `pending`, are sealed into `segments`, and stay there until a receipt frees them.

CREATE TABLE meta
(
    key    TEXT PRIMARY KEY,
    value  INTEGER NOT NULL
) STRICT;

INSERT INTO meta VALUES ('format', 1);

-- Measurements that are not sealed yet, in the order they were added. The rows of a run are added and removed together.
CREATE TABLE pending
(
    n         INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id    TEXT NOT NULL,
    added_ms  INTEGER NOT NULL,
    body      BLOB NOT NULL                -- JSON of one Measurement
) STRICT;

-- Every segment this probe ever sealed. `raw` is removed when a receipt frees it; the rest of the row stays for ever.
CREATE TABLE segments
(
    sequence      INTEGER PRIMARY KEY,     -- from 1, no gaps
    segment_id    TEXT NOT NULL UNIQUE,
    sealed_ms     INTEGER NOT NULL,
    measurements  INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('spooled', 'stored', 'rejected')),
    reason        TEXT NOT NULL DEFAULT '',
    freed_ms      INTEGER,
    raw           BLOB,
    CHECK ((state = 'spooled') = (raw IS NOT NULL))
) STRICT;

CREATE INDEX segments_spooled ON segments (sequence) WHERE state = 'spooled';

-- Estimated bytes on the wire that measuring and delivering took, by month of the probe's clock (UTC).
CREATE TABLE traffic
(
    month  TEXT PRIMARY KEY,               -- YYYY-MM
    bytes  INTEGER NOT NULL
) STRICT;

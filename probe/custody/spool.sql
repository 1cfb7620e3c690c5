-- The probe's outbox. Measured runs wait in `pending`, are sealed into `segments`, and stay there until a receipt.

CREATE TABLE meta
(
    key    TEXT PRIMARY KEY,
    value  INTEGER NOT NULL
) STRICT;

INSERT INTO meta VALUES ('format', 1);

-- Measurements that are not sealed yet, in the order they came. The rows of a run come and go together.
CREATE TABLE pending
(
    n         INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id    TEXT NOT NULL,
    added_ms  INTEGER NOT NULL,
    body      BLOB NOT NULL                -- JSON of one Measurement
) STRICT;

-- Every segment this probe ever sealed. `raw` goes when a receipt frees it; the rest of the row stays for good.
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

-- Bytes that measuring and delivering took, estimated as on the wire, by month of the probe's clock (UTC).
CREATE TABLE traffic
(
    month  TEXT PRIMARY KEY,               -- YYYY-MM
    bytes  INTEGER NOT NULL
) STRICT;

-- Facts: what probes sent, stored once. Nothing here is a conclusion, and no row is ever changed.
-- One insert is one block in one partition, so it is stored completely or not at all.

-- The signed bytes of every stored segment. Ids are looked up before anything is inserted. They are random, so a
-- look-up reads one granule per id: granules are small here.
CREATE TABLE IF NOT EXISTS segments
(
    segment_id   FixedString(32),              -- BLAKE2b-128 of the signed bytes, hex
    probe        LowCardinality(String),       -- NATS user key, U…
    sequence     UInt64,
    sealed       DateTime64(3, 'UTC'),         -- by the probe's clock
    received     DateTime64(3, 'UTC'),         -- by the aggregator's clock: one time a batch, each later than the last
    measurements UInt16,
    raw          String CODEC(ZSTD(3))         -- the envelope, byte for byte
)
ENGINE = MergeTree
ORDER BY segment_id
SETTINGS index_granularity = 256, fsync_after_insert = 1, fsync_part_directory = 1;

-- Segments that were refused, with the reason and the bytes. Those refused for privacy have an empty payload.
CREATE TABLE IF NOT EXISTS rejected
(
    segment_id   FixedString(32),
    probe        LowCardinality(String),       -- the probe whose NATS subject it came on
    received     DateTime64(3, 'UTC'),
    reason       LowCardinality(String),
    detail       String,
    payload      String CODEC(ZSTD(3))
)
ENGINE = MergeTree
ORDER BY segment_id
SETTINGS index_granularity = 256, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS measurements
(
    measurement_id FixedString(32),            -- BLAKE2b-128 of segment id and index, hex
    segment_id     FixedString(32),
    run_id         FixedString(32),
    watch          LowCardinality(String),
    watch_digest   FixedString(64),
    provider       LowCardinality(String),     -- from the watch's table, by ASN and access; '' is none
    surface        LowCardinality(String),
    check          LowCardinality(String),
    target         LowCardinality(String),
    probe          LowCardinality(String),
    role           LowCardinality(String),     -- probe | reference
    asn            UInt32,
    asn_how        LowCardinality(String),
    country        LowCardinality(String),
    access         LowCardinality(String),
    access_how     LowCardinality(String),
    line           String,
    line_how       LowCardinality(String),
    line_kind      LowCardinality(String),
    network_changed Bool,
    at             DateTime64(3, 'UTC'),       -- by the probe's clock
    received       DateTime64(3, 'UTC'),       -- when its segment was received
    duration_ms    Float64,
    loop_lag_ms    Float64,
    timeout_ms     UInt32,
    internal       String,
    software       LowCardinality(String),
    steps Nested
    (
        part       LowCardinality(String),
        op         LowCardinality(String),
        target     LowCardinality(String),
        address    String,
        via        LowCardinality(String),
        start_ms   Float64,
        end_ms     Float64,
        failure    LowCardinality(String),     -- '' is success
        sent       UInt32,
        received   UInt32,
        rcode      Int16,                      -- -1: none
        answers    Array(String),
        replies    UInt8,                      -- how many replies arrived
        injected   Bool,                       -- two replies contradict each other
        certificate String,
        certificate_failure LowCardinality(String),
        names      Array(String),
        status     Int16,                      -- -1: none
        location   String,
        length     Int64,                      -- -1: none
        body_hash  String,
        title_hash String,
        fingerprint LowCardinality(String)
    ),
    INDEX received_range received TYPE minmax GRANULARITY 1  -- a batch is read again by its time
)
ENGINE = ReplacingMergeTree                    -- in case a row is inserted twice although ids are looked up
PARTITION BY toYYYYMM(received)
ORDER BY (watch, provider, surface, at, measurement_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- Every text of every watch that was served from this store: measurements name theirs by its digest.
CREATE TABLE IF NOT EXISTS watches
(
    watch        LowCardinality(String),
    digest       FixedString(64),              -- SHA-256 of the text, hex
    since        DateTime64(3, 'UTC'),         -- in force from this time, for the first time or again
    text         String CODEC(ZSTD(3))
)
ENGINE = MergeTree
ORDER BY (watch, since)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

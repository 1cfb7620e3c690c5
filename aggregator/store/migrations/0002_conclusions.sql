-- Conclusions: drawn from facts by a named version of rules or model, and again by the next version. Append-only.

-- The rule sets under which all stored measurements have been judged, with their texts.
CREATE TABLE IF NOT EXISTS rule_sets
(
    rule_set     LowCardinality(String),
    digest       FixedString(64),              -- SHA-256 of the text, hex
    judged       DateTime64(3, 'UTC'),         -- when all measurements had been judged
    text         String CODEC(ZSTD(3))
)
ENGINE = MergeTree
ORDER BY rule_set
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- One row per run and surface, under one rule set: a pure function of that run's measurements.
CREATE TABLE IF NOT EXISTS verdicts
(
    rule_set     LowCardinality(String),
    watch        LowCardinality(String),
    provider     LowCardinality(String),
    surface      LowCardinality(String),
    role         LowCardinality(String),
    probe        LowCardinality(String),
    line         String,
    at           DateTime64(3, 'UTC'),
    received     DateTime64(3, 'UTC'),
    run_id       FixedString(32),
    segment_id   FixedString(32),
    verdict      LowCardinality(String),       -- ok | blocked | inconclusive
    rule         LowCardinality(String),       -- the id of the first rule that matched
    method       LowCardinality(String),       -- '' unless blocked
    failure      LowCardinality(String),       -- the failure that decided
    share_failed Float32,                      -- of the tested endpoints, the share that failed; NaN if not counted
    control      LowCardinality(String),       -- ok | fail | ''
    evidence     String                        -- what the rule was based on, as text
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received)
ORDER BY (rule_set, watch, provider, surface, at, segment_id, run_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- The verdicts of one provider's probes, each with what the references saw at the time. Read as
--   judged(rule_set, watch, provider, surface, as_of, since, until, near_ms)
-- as_of, since and until are milliseconds since the epoch: rows received up to as_of, with since <= at < until.
-- `reference` is fail when references within near_ms tested the service and none found it working.
-- `verdict` is `down` where the rule `service-down` applies; `verdict_alone` ignores the references.
CREATE VIEW IF NOT EXISTS judged AS
SELECT
    rule_set, watch, provider, surface, probe, line, at, received, run_id, segment_id,
    rule, method, failure, share_failed, control, evidence,
    multiIf(references_ok > 0, 'ok', references_blocked > 0, 'fail', '') AS reference,
    run_verdict AS verdict_alone,
    if(verdict_alone = 'blocked' AND reference = 'fail', 'down', verdict_alone) AS verdict
FROM
(
    SELECT
        * EXCEPT verdict,
        verdict AS run_verdict,
        countIf(role = 'reference' AND run_verdict = 'ok') OVER near AS references_ok,
        countIf(role = 'reference' AND run_verdict = 'blocked') OVER near AS references_blocked
    FROM verdicts FINAL
    WHERE rule_set = {rule_set:String}
        AND watch = {watch:String}
        AND surface = {surface:String}
        AND provider IN ({provider:String}, '')
        AND (role = 'reference') = (provider = '')
        AND received <= fromUnixTimestamp64Milli({as_of:Int64}, 'UTC')
        AND at >= fromUnixTimestamp64Milli({since:Int64} - {near_ms:Int64}, 'UTC')
        AND at < fromUnixTimestamp64Milli({until:Int64} + {near_ms:Int64}, 'UTC')
    WINDOW near AS
    (
        ORDER BY toUnixTimestamp64Milli(at)
        RANGE BETWEEN {near_ms:Int64} PRECEDING AND {near_ms:Int64} FOLLOWING
    )
)
WHERE role = 'probe'
    AND at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
    AND at < fromUnixTimestamp64Milli({until:Int64}, 'UTC');

-- One row per revision of an answer: `as_of` says which data it is based on, `made` when it was computed.
CREATE TABLE IF NOT EXISTS onsets
(
    watch        LowCardinality(String),
    provider     LowCardinality(String),
    surface      LowCardinality(String),
    as_of        DateTime64(3, 'UTC'),         -- based on rows received up to this time
    made         DateTime64(3, 'UTC'),
    rule_set     LowCardinality(String),
    model        LowCardinality(String),
    input_digest String,
    state        LowCardinality(String),
    p_block      Float64,
    onset        Nullable(DateTime64(3, 'UTC')),
    answer       String                        -- the whole answer as JSON, as the API gives it
)
ENGINE = MergeTree
ORDER BY (watch, provider, surface, as_of)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

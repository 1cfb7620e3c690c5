-- Probes whose volunteers asked that no row of theirs be published from then on, with the line that each signed.
-- Their rows stay stored, and count in answers; the API shows none of them one by one.
CREATE TABLE IF NOT EXISTS withdrawals
(
    probe        LowCardinality(String),
    asked        DateTime64(3, 'UTC'),         -- by the probe's clock
    received     DateTime64(3, 'UTC'),
    line         String                        -- as it was signed: blockonset-withdrawal1:…
)
ENGINE = ReplacingMergeTree
ORDER BY (probe, line)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

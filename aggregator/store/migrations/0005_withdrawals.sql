-- Probes whose volunteers asked, in a signed line, that no row of theirs be published from then on.
-- Their rows stay stored and count in answers, but the API does not show single rows of theirs.
CREATE TABLE IF NOT EXISTS withdrawals
(
    probe        LowCardinality(String),
    asked        DateTime64(3, 'UTC'),         -- by the probe's clock
    received     DateTime64(3, 'UTC'),
    line         String                        -- the signed line: blockonset-withdrawal1:…
)
ENGINE = ReplacingMergeTree
ORDER BY (probe, line)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- How a run's traffic left its machine, and whose resolver it used: Path and Resolver in
-- probe/protocol/measurement.py.
ALTER TABLE measurements ADD COLUMN IF NOT EXISTS path LowCardinality(String) DEFAULT 'unknown' AFTER network_changed;
ALTER TABLE measurements ADD COLUMN IF NOT EXISTS resolver LowCardinality(String) DEFAULT 'unknown' AFTER path;
-- How the kind of line is known, like access_how.
ALTER TABLE measurements ADD COLUMN IF NOT EXISTS line_kind_how LowCardinality(String) DEFAULT 'unknown' AFTER line_kind;

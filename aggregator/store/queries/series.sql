-- The runs of a provider on one surface, each judged with the references of its time, and the references' own runs,
-- where a failure means that the service itself is down. In order of time, after a given run (`after_at`, `after_run`).
-- Runs of a probe that has withdrawn are left out.
SELECT
    toUnixTimestamp64Milli(s.at) AS at_ms,
    toUnixTimestamp64Milli(s.received) AS received_ms,
    s.probe AS probe,
    s.line AS line,
    s.role AS role,
    s.outcome AS outcome,
    s.method AS method,
    s.rule AS rule,
    s.failure AS failure,
    s.share_failed AS share_failed,
    s.evidence AS evidence,
    toString(s.run_id) AS run
FROM
(
    SELECT at, received, probe, line, 'probe' AS role, verdict AS outcome, method, rule, failure, share_failed, evidence, run_id
    FROM judged(
        rule_set = {rule_set:String}, watch = {watch:String}, provider = {provider:String}, surface = {surface:String},
        as_of = {as_of:Int64}, since = {start:Int64}, until = {end:Int64}, near_ms = {near_ms:Int64})
    UNION ALL
    SELECT at, received, probe, line, 'reference', if(verdict = 'blocked', 'down', verdict), method, rule, failure,
        share_failed, evidence, run_id
    FROM verdicts FINAL
    WHERE rule_set = {rule_set:String} AND watch = {watch:String} AND provider = '' AND surface = {surface:String}
      AND role = 'reference' AND received <= fromUnixTimestamp64Milli({as_of:Int64}, 'UTC')
      AND at >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND at < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
) AS s
WHERE (at_ms, run) > ({after_at:Int64}, {after_run:String}) AND s.probe NOT IN (SELECT probe FROM withdrawals)
ORDER BY at_ms, run
LIMIT {limit:UInt32}

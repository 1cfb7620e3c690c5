-- How many runs of each probe had which outcome, in bins of time. The runs are those of series.sql.
SELECT
    intDiv(toUnixTimestamp64Milli(s.at), {bin_ms:Int64}) * {bin_ms:Int64} AS start_ms,
    s.probe AS probe,
    s.line AS line,
    s.role AS role,
    countIf(s.outcome = 'ok') AS ok,
    countIf(s.outcome = 'blocked') AS blocked,
    countIf(s.outcome = 'down') AS down,
    countIf(s.outcome = 'inconclusive') AS inconclusive
FROM
(
    SELECT at, probe, line, 'probe' AS role, verdict AS outcome
    FROM judged(
        rule_set = {rule_set:String}, watch = {watch:String}, provider = {provider:String}, surface = {surface:String},
        as_of = {as_of:Int64}, since = {start:Int64}, until = {end:Int64}, near_ms = {near_ms:Int64})
    UNION ALL
    SELECT at, probe, line, 'reference', if(verdict = 'blocked', 'down', verdict)
    FROM verdicts FINAL
    WHERE rule_set = {rule_set:String} AND watch = {watch:String} AND provider = '' AND surface = {surface:String}
      AND role = 'reference' AND received <= fromUnixTimestamp64Milli({as_of:Int64}, 'UTC')
      AND at >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND at < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
) AS s
WHERE s.probe NOT IN (SELECT probe FROM withdrawals)
GROUP BY start_ms, probe, line, role
HAVING (start_ms, probe, line, role) > ({after_start:Int64}, {after_probe:String}, {after_line:String}, {after_role:String})
ORDER BY start_ms, probe, line, role
LIMIT {limit:UInt32}

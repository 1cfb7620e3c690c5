-- The rows that the inference reads for one watch, provider and surface: one a run, of those received by {as_of}, in a
-- fixed order. outcome, control and reference are coded as in aggregator/inference/answer/answer.py: 0 ok, 1 fail,
-- 2 neither.
-- Only sweeps measure speed, and slow is below {slow} of the control's speed. A run between two sweeps, each of which
-- counts if it is within {hold_ms}, has the speed of the one before if that was slow and the one after was not fast.
-- If one was slow and the other fast, throttling began or ended at an unknown time between them: then a run that was ok
-- has the outcome 2.
SELECT
    probe,
    line = '' ? 'unknown' : line AS line,
    at_ms AS at,
    toUnixTimestamp64Milli(received) AS received,
    toInt8(outcome = 0 AND isNaN(own_speed) AND ((slow_before AND fast_after) OR (fast_before AND slow_after)) ? 2 : outcome)
        AS outcome,
    method,
    toFloat64(share_failed) AS share_failed,
    multiIf(NOT isNaN(own_speed), own_speed, slow_before AND NOT fast_after, speed_before, nan) AS speed,
    toInt8(transform(control, ['ok', 'fail'], [0, 1], 2)) AS control,
    toInt8(transform(reference, ['ok', 'fail'], [0, 1], 2)) AS reference
FROM
(
    SELECT
        * EXCEPT speed,
        toUnixTimestamp64Milli(at) AS at_ms,
        toInt8(transform(verdict_alone, ['ok', 'blocked'], [0, 1], 2)) AS outcome,
        toFloat64(speed) AS own_speed,
        argMaxIf(own_speed, at_ms, NOT isNaN(own_speed)) OVER until_now AS speed_before,
        at_ms - maxIf(at_ms, NOT isNaN(own_speed)) OVER until_now <= {hold_ms:Int64} AS near_before,
        argMinIf(own_speed, at_ms, NOT isNaN(own_speed)) OVER from_now AS speed_after,
        minIf(at_ms, NOT isNaN(own_speed)) OVER from_now AS at_after,
        at_after > 0 AND at_after - at_ms <= {hold_ms:Int64} AS near_after,
        near_before AND speed_before < {slow:Float64} AS slow_before,
        near_before AND speed_before >= {slow:Float64} AS fast_before,
        near_after AND speed_after < {slow:Float64} AS slow_after,
        near_after AND speed_after >= {slow:Float64} AS fast_after
    FROM judged(
        rule_set = {rule_set:String}, watch = {watch:String}, provider = {provider:String}, surface = {surface:String},
        as_of = {as_of:Int64}, since = 0, until = 4102444800000, near_ms = {near_ms:Int64})
    WINDOW
        until_now AS (PARTITION BY probe ORDER BY at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
        from_now AS (PARTITION BY probe ORDER BY at DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
ORDER BY at, probe, received, run_id

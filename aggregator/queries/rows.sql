-- What the inference reads of one watch, provider and surface: one row a run, known by {as_of}, in a fixed order.
-- outcome, control and reference are coded as in aggregator/inference/answer.py: 0 ok, 1 fail, 2 neither.
SELECT
    probe,
    line = '' ? 'unknown' : line AS line,
    toUnixTimestamp64Milli(at) AS at,
    toUnixTimestamp64Milli(received) AS received,
    toInt8(transform(verdict_alone, ['ok', 'blocked'], [0, 1], 2)) AS outcome,
    method,
    toFloat64(share_failed) AS share_failed,
    toInt8(transform(control, ['ok', 'fail'], [0, 1], 2)) AS control,
    toInt8(transform(reference, ['ok', 'fail'], [0, 1], 2)) AS reference
FROM judged(
    rule_set = {rule_set:String}, watch = {watch:String}, provider = {provider:String}, surface = {surface:String},
    as_of = {as_of:Int64}, since = 0, until = 4102444800000, near_ms = {near_ms:Int64})
ORDER BY at, probe, received, run_id

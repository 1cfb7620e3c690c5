-- One measurement, or every measurement of one run: its ids, its provider and when it was received.
-- Measurements of a probe that has withdrawn are left out.
SELECT DISTINCT
    toString(m.measurement_id) AS measurement_id,
    toString(m.segment_id) AS segment_id,
    toString(m.run_id) AS run_id,
    m.provider AS provider,
    toUnixTimestamp64Milli(m.received) AS received
FROM measurements AS m
WHERE m.watch = {watch:String} AND (m.measurement_id = {id:String} OR m.run_id = {id:String})
  AND m.probe NOT IN (SELECT probe FROM withdrawals)
  AND m.received <= fromUnixTimestamp64Milli({as_of:Int64}, 'UTC')
ORDER BY m.received, measurement_id
LIMIT 64

-- The steps of a run's measurements.
SELECT toUnixTimestamp64Milli(at) AS at, steps.*
FROM measurements
WHERE run_id = {run_id:String}

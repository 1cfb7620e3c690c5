-- The days (UTC) on which measurements were received, each as the time at which it begins, in milliseconds.
SELECT DISTINCT toInt64(toUnixTimestamp(toStartOfDay(received))) * 1000 AS day_ms
FROM measurements
ORDER BY day_ms

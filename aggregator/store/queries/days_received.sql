-- The days (UTC) on which measurements were received, as the milliseconds at which they begin.
SELECT DISTINCT toInt64(toUnixTimestamp(toStartOfDay(received))) * 1000 AS day_ms
FROM measurements
ORDER BY day_ms

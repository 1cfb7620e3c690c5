-- Which of these segments are stored and which were rejected. Those that were never received have no row.
SELECT segment_id, probe, 'stored' AS state, '' AS reason, toUnixTimestamp64Milli(received) AS received
FROM segments
WHERE segment_id IN {ids:Array(FixedString(32))}
UNION ALL
SELECT segment_id, probe, 'rejected' AS state, toString(reason), toUnixTimestamp64Milli(received) AS received
FROM rejected
WHERE segment_id IN {ids:Array(FixedString(32))}

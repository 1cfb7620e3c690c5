-- One segment: when it was received, and how many rows of it there are, duplicates counted.
SELECT
    toUnixTimestamp64Milli(any(s.received)) AS received,
    countIf(m.segment_id = s.segment_id) AS rows,
    toUnixTimestamp64Milli(max(m.received)) AS rows_received
FROM segments AS s
LEFT JOIN measurements AS m ON m.segment_id = s.segment_id
WHERE s.segment_id = {segment_id:String}
GROUP BY s.segment_id

-- Every segment that was refused.
SELECT DISTINCT segment_id
FROM rejected
ORDER BY segment_id

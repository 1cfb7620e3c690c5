-- The segments that were refused.
SELECT DISTINCT segment_id
FROM rejected
ORDER BY segment_id

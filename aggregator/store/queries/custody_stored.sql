-- What is stored, by segment: rows there are, not rows there should be, so that a loss and a double both show.
SELECT segment_id, count() AS measurements
FROM measurements
WHERE segment_id IN (SELECT segment_id FROM segments)
GROUP BY segment_id
ORDER BY segment_id

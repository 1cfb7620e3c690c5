-- How many rows of each stored segment there are: lost and duplicate rows both show.
SELECT segment_id, count() AS measurements
FROM measurements
WHERE segment_id IN (SELECT segment_id FROM segments)
GROUP BY segment_id
ORDER BY segment_id

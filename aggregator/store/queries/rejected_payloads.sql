-- The reasons and the stored bytes of a probe's refused segments.
SELECT toString(reason) AS reason, payload
FROM rejected
WHERE probe = {probe:String}
ORDER BY received, segment_id

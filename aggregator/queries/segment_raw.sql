-- A segment's bytes as they were signed, in base64: they are no text.
SELECT base64Encode(s.raw) AS raw
FROM segments AS s
WHERE s.segment_id = {segment_id:String}
LIMIT 1

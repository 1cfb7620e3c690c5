-- A segment's bytes as they were signed, in base64: they are no text. None of a probe that has withdrawn.
SELECT base64Encode(s.raw) AS raw
FROM segments AS s
WHERE s.segment_id = {segment_id:String} AND s.probe NOT IN (SELECT probe FROM withdrawals)
LIMIT 1

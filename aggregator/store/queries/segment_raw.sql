-- The signed bytes of a segment, in base64 because they are not text; nothing for a probe that has withdrawn.
SELECT base64Encode(s.raw) AS raw
FROM segments AS s
WHERE s.segment_id = {segment_id:String} AND s.probe NOT IN (SELECT probe FROM withdrawals)
LIMIT 1

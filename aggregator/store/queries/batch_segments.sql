-- The envelopes of the segments that were received at one time, as one batch.
SELECT segment_id, raw
FROM segments
WHERE received = fromUnixTimestamp64Milli({received:Int64}, 'UTC')

-- The envelopes of the segments received at one instant.
SELECT segment_id, raw
FROM segments
WHERE received = fromUnixTimestamp64Milli({received:Int64}, 'UTC')

-- When the last batch was received, in milliseconds; 0 if there is none.
SELECT toUnixTimestamp64Milli(max(received)) AS received
FROM segments

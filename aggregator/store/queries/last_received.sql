-- When the last batch was received; 0 where none was.
SELECT toUnixTimestamp64Milli(max(received)) AS received
FROM segments

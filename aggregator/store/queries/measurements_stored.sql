-- Which measurements of these segments, received at these times, are stored.
SELECT measurement_id
FROM measurements
WHERE segment_id IN {ids:Array(FixedString(32))}
    AND toUnixTimestamp64Milli(received) IN {received:Array(Int64)}
    AND received >= fromUnixTimestamp64Milli(arrayMin({received:Array(Int64)}), 'UTC')
    AND received <= fromUnixTimestamp64Milli(arrayMax({received:Array(Int64)}), 'UTC')

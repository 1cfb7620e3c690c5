-- The version of a watch's answers as of a time: it changes with every revision, and no answer is read for it.
SELECT
    count() AS revisions,
    toUnixTimestamp64Milli(max(o.as_of)) AS as_of,
    toUnixTimestamp64Milli(max(o.made)) AS made
FROM onsets AS o
WHERE o.watch = {watch:String} AND o.as_of <= fromUnixTimestamp64Milli({as_of:Int64}, 'UTC')

-- The revisions of one provider's answers, newest first, after a given one (the `before_` parameters).
SELECT
    o.surface AS surface,
    toUnixTimestamp64Milli(o.as_of) AS as_of,
    toUnixTimestamp64Milli(o.made) AS made,
    o.rule_set AS rule_set,
    o.model AS model,
    o.input_digest AS input_digest,
    o.state AS state,
    o.p_block AS p_block,
    toUnixTimestamp64Milli(o.onset) AS onset
FROM onsets AS o
WHERE o.watch = {watch:String} AND o.provider = {provider:String}
  AND o.as_of <= fromUnixTimestamp64Milli({as_of:Int64}, 'UTC')
  AND (toUnixTimestamp64Milli(o.as_of), toUnixTimestamp64Milli(o.made), o.surface)
      < ({before_as_of:Int64}, {before_made:Int64}, {before_surface:String})
ORDER BY o.as_of DESC, o.made DESC, o.surface DESC
LIMIT {limit:UInt32}

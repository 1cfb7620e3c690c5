-- The newest answer for every provider and surface of a watch, as of a time.
-- The inner query finds the newest revision in the narrow columns; only the answers of those revisions are read.
SELECT o.provider AS provider, o.surface AS surface, o.answer AS answer, o.rule_set AS rule_set, o.model AS model
FROM onsets AS o
WHERE o.watch = {watch:String}
  AND (o.provider, o.surface, o.as_of, o.made) IN
  (
      SELECT n.provider, n.surface, (max((n.as_of, n.made)) AS newest).1, newest.2
      FROM onsets AS n
      WHERE n.watch = {watch:String} AND n.as_of <= fromUnixTimestamp64Milli({as_of:Int64}, 'UTC')
      GROUP BY n.provider, n.surface
  )
ORDER BY provider, surface
LIMIT 1 BY provider, surface
LIMIT 10000

-- The last revision of one answer under a rule set.
SELECT answer, toUnixTimestamp64Milli(made) AS made
FROM onsets
WHERE watch = {watch:String} AND provider = {provider:String} AND surface = {surface:String}
    AND rule_set = {rule_set:String}
ORDER BY as_of DESC, made DESC
LIMIT 1

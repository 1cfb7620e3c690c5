-- The text under which all history was judged as this rule set.
SELECT digest, toUnixTimestamp64Milli(judged) AS judged
FROM rule_sets
WHERE rule_set = {rule_set:String}
LIMIT 1

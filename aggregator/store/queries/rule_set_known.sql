-- The digest of the text with which a rule set has judged all stored measurements, and when that was finished.
SELECT digest, toUnixTimestamp64Milli(judged) AS judged
FROM rule_sets
WHERE rule_set = {rule_set:String}
LIMIT 1

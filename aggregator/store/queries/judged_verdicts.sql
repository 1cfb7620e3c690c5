-- The verdicts of one watch, provider and surface, and what the references saw at the time of each.
SELECT toUnixTimestamp64Milli(at) AS at, verdict, verdict_alone, reference
FROM judged(
    rule_set = {rule_set:String}, watch = {watch:String}, provider = {provider:String}, surface = {surface:String},
    as_of = 4102444800000, since = 0, until = 4102444800000, near_ms = {near_ms:Int64})
ORDER BY at

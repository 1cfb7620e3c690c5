-- The verdicts on one run, under every rule set that has judged it.
SELECT
    v.rule_set AS rule_set, v.surface AS surface, v.verdict AS verdict, v.rule AS rule,
    v.method AS method, v.failure AS failure, v.evidence AS evidence
FROM verdicts AS v FINAL
WHERE v.watch = {watch:String} AND v.provider = {provider:String} AND v.run_id = {run_id:String}
ORDER BY rule_set, surface
LIMIT 64

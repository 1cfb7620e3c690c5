-- The rule set that judged a watch's newest run: what to read where no answer names one yet.
SELECT v.rule_set AS rule_set
FROM verdicts AS v
WHERE v.watch = {watch:String}
ORDER BY v.received DESC
LIMIT 1

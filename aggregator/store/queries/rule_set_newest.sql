-- The rule set of a watch's most recently received run: for reading verdicts where no answer names a rule set.
SELECT v.rule_set AS rule_set
FROM verdicts AS v
WHERE v.watch = {watch:String}
ORDER BY v.received DESC
LIMIT 1

-- How many verdicts there are under each rule set, each counted once.
SELECT rule_set, verdict, count() AS verdicts
FROM verdicts FINAL
GROUP BY rule_set, verdict
ORDER BY rule_set, verdict

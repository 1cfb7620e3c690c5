-- The probes that measured a provider, oldest first: what their labels are numbered by. First sight never changes.
SELECT v.probe AS probe, v.line AS line, v.role AS role, min(v.received) AS first
FROM verdicts AS v
WHERE v.rule_set = {rule_set:String} AND v.watch = {watch:String}
  AND v.provider IN ({provider:String}, '') AND (v.role = 'reference') = (v.provider = '')
GROUP BY v.probe, v.line, v.role
ORDER BY first, v.probe, v.line
LIMIT 10000

-- The probes that measured a provider, by the time at which their first run was received.
-- Probes are numbered in this order in public labels, and later runs don't change it.
SELECT v.probe AS probe, v.line AS line, v.role AS role, min(v.received) AS first
FROM verdicts AS v
WHERE v.rule_set = {rule_set:String} AND v.watch = {watch:String}
  AND v.provider IN ({provider:String}, '') AND (v.role = 'reference') = (v.provider = '')
GROUP BY v.probe, v.line, v.role
ORDER BY first, v.probe, v.line
LIMIT 10000

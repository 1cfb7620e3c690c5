-- Judge the measurements received from {since} to {until}, inclusive, under one rule set.
-- aggregator/judging/rule_set.py fills the places in {{...}}: the facts, and one array or expression for each column that
-- the rules decide.
INSERT INTO verdicts
(
    rule_set, watch, provider, surface, role, probe, line, at, received, run_id, segment_id,
    verdict, rule, method, failure, share_failed, speed, control, evidence
)
WITH
facts AS (
{{facts}}
),

-- The number of the first rule whose condition holds, from 1; 0 where none does.
matched_facts AS (
    SELECT *, {{first_match}} AS matched
    FROM facts
)

SELECT
    {rule_set:String}, watch, provider, surface, role, probe, line, at, received, run_id, segment_id,
    {{verdicts}}[matched],
    {{ids}}[matched],
    {{methods}}[matched],
    failure,
    share_failed,
    speed,
    control,
    {{evidence}}
FROM matched_facts
WHERE matched > 0  -- a surface without rules has no verdict

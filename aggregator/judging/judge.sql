-- Judge the measurements received at {since} to {until}, inclusive, under one rule set.
-- The places in {{…}} are filled by aggregator/judging/rule_set.py: the facts, and one column for each thing that a rule says.
INSERT INTO verdicts
(
    rule_set, watch, provider, surface, role, probe, line, at, received, run_id, segment_id,
    verdict, rule, method, failure, share_failed, speed, control, evidence
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
FROM
(
    SELECT *, {{first_match}} AS matched
    FROM
    (
{{facts}}
    )
)
WHERE matched > 0  -- a surface that no rule speaks of has no verdict

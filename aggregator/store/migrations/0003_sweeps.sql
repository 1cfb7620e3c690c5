-- Whether a run tested everything, how a transfer progressed, and the service's speed relative to the control's.
ALTER TABLE measurements ADD COLUMN IF NOT EXISTS sweep Bool DEFAULT 1 AFTER timeout_ms;
ALTER TABLE measurements ADD COLUMN IF NOT EXISTS `steps.curve` Array(Array(UInt32)) AFTER steps.fingerprint;
ALTER TABLE verdicts ADD COLUMN IF NOT EXISTS speed Float32 DEFAULT nan AFTER share_failed;
-- `speed` is the service's speed divided by the control's; NaN where a run did not compare them.
CREATE OR REPLACE VIEW judged AS
SELECT
    rule_set, watch, provider, surface, probe, line, at, received, run_id, segment_id,
    rule, method, failure, share_failed, speed, control, evidence,
    multiIf(references_ok > 0, 'ok', references_blocked > 0, 'fail', '') AS reference,
    run_verdict AS verdict_alone,
    if(verdict_alone = 'blocked' AND reference = 'fail', 'down', verdict_alone) AS verdict
FROM
(
    SELECT
        * EXCEPT verdict,
        verdict AS run_verdict,
        countIf(role = 'reference' AND run_verdict = 'ok') OVER near AS references_ok,
        countIf(role = 'reference' AND run_verdict = 'blocked') OVER near AS references_blocked
    FROM verdicts FINAL
    WHERE rule_set = {rule_set:String}
        AND watch = {watch:String}
        AND surface = {surface:String}
        AND provider IN ({provider:String}, '')
        AND (role = 'reference') = (provider = '')
        AND received <= fromUnixTimestamp64Milli({as_of:Int64}, 'UTC')
        AND at >= fromUnixTimestamp64Milli({since:Int64} - {near_ms:Int64}, 'UTC')
        AND at < fromUnixTimestamp64Milli({until:Int64} + {near_ms:Int64}, 'UTC')
    WINDOW near AS
    (
        ORDER BY toUnixTimestamp64Milli(at)
        RANGE BETWEEN {near_ms:Int64} PRECEDING AND {near_ms:Int64} FOLLOWING
    )
)
WHERE role = 'probe'
    AND at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
    AND at < fromUnixTimestamp64Milli({until:Int64}, 'UTC');

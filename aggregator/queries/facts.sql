-- What the steps of each run and surface say, as named columns that the rules' conditions are written over.
-- One row per (segment_id, run_id, surface), from the measurements received at {since} to {until}, inclusive.
-- Sets hold IP addresses; `reach` is what a person's own connection would have used.
WITH
    ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24',
     '192.168.0.0/16', '198.18.0.0/15', '224.0.0.0/4', '240.0.0.0/4', '::/128', '::1/128', '::ffff:0:0/96', '100::/64',
     'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8'] AS never_a_service,
    ['generic_timeout_error', 'timed_out'] AS timeouts,
    ['ssl_unknown_authority', 'ssl_invalid_hostname', 'ssl_invalid_certificate'] AS bad_certificates,
    -- The line itself has no such route (IPv6 at most homes): that tells nothing about the service.
    ['network_unreachable', 'address_family_not_supported', 'address_not_available'] AS no_route
SELECT
    *,
    multiIf(control_steps = 0, '', empty(control_failures), 'ok', 'fail') AS control,

    -- dns
    notEmpty(system_answers) ? '' : system_worst AS system_failure,
    notEmpty(second_answers) ? '' : second_worst AS second_failure,
    second_replied AND empty(second_answers) AS second_denies,
    -- what the name should give: the second path's answers, or where that is closed, the watch's own addresses
    arraySort(notEmpty(second_answers) ? second_answers : arrayFilter(a -> NOT has(system_answers, a), tried)) AS known_answers,
    notEmpty(system_answers) AND notEmpty(known_answers) AND NOT hasAny(system_answers, known_answers) AS dns_disjoint,
    arrayFilter(
        a -> arrayExists(
            net -> isIPAddressInRange(if(isIPv4String(a) OR isIPv6String(a), a, '0.0.0.0'), net), never_a_service),
        system_answers) AS bogons,

    -- web: every set cut down to the addresses that the line's own resolver gave, where it gave any
    empty(system_answers) ? tried : arrayIntersect(tried, system_answers) AS reach,
    arraySort(arrayIntersect(handshake_ok, reach)) AS tls_ok,
    arraySort(arrayIntersect(handshake_bad_certificate, reach)) AS tls_bad_certificate,
    arraySort(arrayIntersect(handshake_reset, reach)) AS tls_reset,
    arraySort(arrayIntersect(handshake_timeout, reach)) AS tls_timeout,
    arraySort(arrayIntersect(handshake_eof, reach)) AS tls_closed,
    arraySort(arrayIntersect(connect_refused, reach)) AS tcp_refused,
    arraySort(arrayIntersect(connect_reset, reach)) AS tcp_reset,
    arraySort(arrayIntersect(connect_timeout, reach)) AS tcp_timeout,
    arraySort(arrayIntersect(handshake_ok, known_answers)) AS known_tls_ok,
    arraySort(arrayIntersect(handshake_bad_certificate, known_answers)) AS known_bad_certificate,

    -- app: endpoints, each with its port
    length(endpoints_tried) AS endpoints,
    length(endpoints_failed) AS failed,
    endpoints = 0 ? nan : failed / endpoints AS share_failed,
    greatest(app_refused, app_reset, app_timeout, app_dropped, app_closed) AS app_most,
    multiIf(
        app_most = 0, '', app_refused = app_most, 'refused', app_reset = app_most, 'reset',
        app_timeout = app_most, 'timeout', app_dropped = app_most, 'dropped', 'closed'
    ) AS app_failure
FROM
(
    SELECT
        segment_id,
        run_id,
        surface,
        min(watch) AS watch,
        min(provider) AS provider,
        min(role) AS role,
        min(probe) AS probe,
        min(line) AS line,
        min(at) AS at,
        min(received) AS received,

        -- the run itself
        max(internal) AS internal_error,
        max(network_changed) AS changed,
        max(loop_lag_ms) AS worst_lag_ms,
        min(timeout_ms) AS least_timeout_ms,
        countIf(has(timeouts, trouble)) AS timed_out,
        countIf(part = 'control') AS control_steps,
        arraySort(groupUniqArrayIf(op || ' ' || trouble, part = 'control' AND trouble != '')) AS control_failures,
        countIf(part = 'target') AS target_steps,
        countIf(missed) AS misses,
        argMinIf(trouble, (step_rank, start_ms), missed) AS failure,

        -- dns
        countIf(by_system) AS system_asked,
        arraySort(groupUniqArrayArrayIf(answers, by_system)) AS system_answers,
        maxIf(trouble, by_system) AS system_worst,
        countIf(by_system AND injected) > 0 AS dns_injected,
        arraySort(groupUniqArrayArrayIf(answers, by_second)) AS second_answers,
        maxIf(trouble, by_second) AS second_worst,
        maxIf(rcode, by_second) >= 0 AS second_replied,

        -- web, port 443
        groupUniqArrayIf(ip, web AND op IN ('connect', 'hold', 'handshake')) AS tried,
        groupUniqArrayIf(ip, web AND op = 'handshake' AND trouble = '') AS handshake_ok,
        groupUniqArrayIf(ip, web AND op = 'handshake' AND has(bad_certificates, trouble)) AS handshake_bad_certificate,
        groupUniqArrayIf(ip, web AND op = 'handshake' AND trouble = 'connection_reset') AS handshake_reset,
        groupUniqArrayIf(ip, web AND op = 'handshake' AND has(timeouts, trouble)) AS handshake_timeout,
        groupUniqArrayIf(ip, web AND op = 'handshake' AND trouble = 'eof_error') AS handshake_eof,
        groupUniqArrayIf(ip, part = 'contrast' AND op = 'handshake' AND step_failure = '') AS contrast_ok,
        groupUniqArrayIf(ip, web AND op = 'connect' AND trouble = 'connection_refused') AS connect_refused,
        groupUniqArrayIf(ip, web AND op IN ('connect', 'hold') AND trouble = 'connection_reset') AS connect_reset,
        groupUniqArrayIf(ip, web AND op = 'connect' AND has(timeouts, trouble)) AS connect_timeout,
        -- web, port 80
        arraySort(groupUniqArrayIf(fingerprint, part = 'target' AND fingerprint != '')) AS fingerprints,

        -- app
        groupUniqArrayIf((step_target, address), app) AS endpoints_tried,
        arraySort(groupUniqArrayIf((step_target, address), app AND trouble != '')) AS endpoints_failed,
        uniqExactIf((step_target, address), app AND op = 'connect' AND trouble = 'connection_refused') AS app_refused,
        -- before any byte came back, a reset is TCP's
        uniqExactIf((step_target, address), app AND trouble = 'connection_reset' AND taken = 0) AS app_reset,
        uniqExactIf((step_target, address), app AND op = 'connect' AND has(timeouts, trouble)) AS app_timeout,
        uniqExactIf((step_target, address), app AND op = 'exchange' AND has(timeouts, trouble)) AS app_dropped,
        uniqExactIf((step_target, address), app AND op = 'exchange' AND trouble = 'eof_error') AS app_closed
    FROM
    (
        SELECT
            *,
            steps.part AS part,
            steps.op AS op,
            steps.target AS step_target,
            steps.address AS address,
            steps.start_ms AS start_ms,
            steps.failure AS step_failure,
            steps.received AS taken,
            steps.rcode AS rcode,
            steps.answers AS answers,
            steps.injected AS injected,
            steps.fingerprint AS fingerprint,
            step_failure != '' ? step_failure : steps.certificate_failure AS trouble,
            replaceRegexpOne(address, '^\\[?(.*?)\\]?:\\d+$', '\\1') AS ip,
            part = 'target' AND op = 'resolve' AND steps.via = 'system' AS by_system,
            part = 'target' AND op = 'resolve' AND steps.via = 'second' AS by_second,
            surface = 'web' AND part = 'target' AND endsWith(address, ':443') AS web,
            surface = 'app' AND part = 'target' AND NOT has(no_route, step_failure) AS app,
            -- what a person would have noticed: not the second path, and not plain HTTP
            part = 'target' AND trouble != '' AND (by_system OR web OR app) AS missed,
            indexOf(['resolve', 'connect', 'hold', 'handshake', 'request', 'exchange'], op) AS step_rank
        FROM
        (
            SELECT *
            FROM measurements
            WHERE received >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
                AND received <= fromUnixTimestamp64Milli({until:Int64}, 'UTC')
            LIMIT 1 BY measurement_id
        )
        LEFT ARRAY JOIN steps
    )
    GROUP BY segment_id, run_id, surface
)

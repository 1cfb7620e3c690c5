-- The facts of each run and surface, as named columns over which the rules' conditions are written.
-- One row per (segment_id, run_id, surface), from the measurements received from {since} to {until}, inclusive.
-- Each CTE is one step, from stored measurements to facts. A step reads only columns of the step before it: the engine
-- repeats an alias's expression at each of its uses, but computes a column of an inner query once; and its planning is
-- slow for comparisons with constants inside AND, so these get names in a step of their own.
-- Arrays of addresses hold IP addresses without ports, as text. Rates are bytes per second.
WITH
    -- Networks in which no public service can be: the list of probe/protocol/addresses.py.
    ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24',
     '192.168.0.0/16', '198.18.0.0/15', '224.0.0.0/4', '240.0.0.0/4', '::/128', '::1/128', '::ffff:0:0/96', '100::/64',
     'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8'] AS bogon_networks,
    ['generic_timeout_error', 'timed_out'] AS timeouts,
    ['ssl_unknown_authority', 'ssl_invalid_hostname', 'ssl_invalid_certificate'] AS bad_certificates,
    -- The line itself has no such route, as most homes have none over IPv6: this says nothing about the service.
    ['network_unreachable', 'address_family_not_supported', 'address_not_available'] AS no_route,
    -- A control slower than this can't tell a throttled service (known cases: 128 to 150 kbit/s) from a slow line.
    65536 AS fast_enough,
    -- A service at least this fast is not throttled, however fast the control is.
    32768 AS slow_enough,
    -- A service below this share of the control's rate is throttled: THROTTLED in aggregator/inference/rows/clean.py.
    0.25 AS throttled_below,
    -- An app is blocked when this share of its endpoints failed, or more.
    0.25 AS blocked_from,

-- Each measurement received in the span, once, with the address families that its steps used. Control and target steps
-- over QUIC do not count for these.
received_measurements AS (
    SELECT
        segment_id, run_id, watch, provider, surface, role, probe, line, at, received,
        check, target, internal, network_changed, path, resolver, loop_lag_ms, timeout_ms, sweep,
        steps.part, steps.op, steps.target, steps.address, steps.via, steps.start_ms, steps.end_ms,
        steps.failure, steps.received, steps.rcode, steps.answers, steps.injected,
        steps.certificate_failure, steps.fingerprint, steps.curve,
        arrayMap((p, o) -> o = 'quic' ? '' : p, steps.part, steps.op) AS step_parts,
        arrayExists((p, a) -> p = 'control' AND a != '' AND a NOT LIKE '[%', step_parts, steps.address) AS control_over_ipv4,
        arrayExists((p, a) -> p = 'control' AND a LIKE '[%', step_parts, steps.address)
            AND NOT arrayExists(
                (p, a, f, c) -> p = 'control' AND a LIKE '[%' AND (f != '' OR c != ''),
                step_parts, steps.address, steps.failure, steps.certificate_failure) AS control_works_over_ipv6,
        arrayExists(
            (p, a, f) -> p = 'target' AND a != '' AND a NOT LIKE '[%' AND NOT has(no_route, f),
            step_parts, steps.address, steps.failure) AS target_tried_over_ipv4
    FROM measurements
    WHERE received >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
        AND received <= fromUnixTimestamp64Milli({until:Int64}, 'UTC')
    LIMIT 1 BY measurement_id
),

-- One row per step, with the columns of its measurement. `error` is the step's failure, else its certificate's.
single_steps AS (
    SELECT
        segment_id, run_id, watch, provider, surface, role, probe, line, at, received,
        check, target, internal, network_changed, path, resolver, loop_lag_ms, timeout_ms, sweep,
        control_over_ipv4, control_works_over_ipv6, target_tried_over_ipv4,
        steps.op AS op,
        -- QUIC over UDP port 443 is shown and decides nothing: many networks drop all of it, many services lack it. So its
        -- steps belong to no part and have no error here.
        op = 'quic' ? '' : steps.part AS part,
        steps.part || ' ' || multiIf(
            step_failure != '', step_failure,
            steps.part != 'contrast' AND steps.certificate_failure != '', steps.certificate_failure,
            'works') AS quic_outcome,
        steps.target AS step_target,
        steps.address AS address,
        steps.start_ms AS start_ms,
        steps.failure AS step_failure,
        steps.received AS bytes_received,
        steps.rcode AS rcode,
        steps.answers AS answers,
        steps.injected AS injected,
        steps.fingerprint AS fingerprint,
        steps.via AS via,
        steps.curve AS curve,
        steps.received * 1000 / greatest(steps.end_ms - steps.start_ms, 1) AS bytes_per_second,
        multiIf(op = 'quic', '', step_failure != '', step_failure, steps.certificate_failure) AS error
    FROM received_measurements LEFT ARRAY JOIN steps
),

-- What each step is, did and met, as booleans.
described_steps AS (
    SELECT
        *,
        surface = 'web' AS is_web,
        surface = 'app' AS is_app,
        check = 'transfer' AS in_transfer_check,
        part = 'target' AS of_target,
        part = 'control' AS of_control,
        part = 'contrast' AS of_contrast,
        op = 'resolve' AS is_resolve,
        op = 'connect' AS is_connect,
        op = 'hold' AS is_hold,
        op = 'handshake' AS is_handshake,
        op = 'request' AS is_request,
        op = 'transfer' AS is_transfer,
        op = 'exchange' AS is_exchange,
        op = 'quic' AS is_quic,
        via = 'system' AS via_system,
        via = 'system6' AS via_system6,
        via = 'second' AS via_second,
        via = 'intermediate' AS via_intermediate,
        via = 'obfuscated' AS via_obfuscated,
        step_target = target AS is_main_host,  -- and not a web socket host or a datacentre
        startsWith(address, '[') AS is_ipv6,
        endsWith(address, ':443') AS on_port_443,
        replaceRegexpOne(address, '^\\[?(.*?)\\]?:\\d+$', '\\1') AS ip,
        error = '' AS succeeded,
        error = 'connection_refused' AS was_refused,
        error = 'connection_reset' AS was_reset,
        error = 'eof_error' AS was_closed,
        error = 'ssl_invalid_certificate' AS out_of_date_certificate,
        has(timeouts, error) AS no_reply,
        has(bad_certificates, error) AS wrong_certificate,
        indexOf(['resolve', 'connect', 'hold', 'handshake', 'request', 'exchange'], op) AS step_rank
    FROM single_steps
),

-- What each step counts as when its run is judged.
classified_steps AS (
    SELECT
        *,
        -- web: the steps on port 443 from connecting to the handshake, over IPv6 only where the control works over it
        is_web AND of_target AND is_main_host AND on_port_443 AND NOT in_transfer_check AND NOT is_request
            AND (NOT is_ipv6 OR control_works_over_ipv6) AS web_step,
        web_step AND is_handshake AS web_handshake,
        is_app AND of_target AND NOT has(no_route, step_failure) AS routable_app_step,
        -- app: judged over IPv4, as apps connect, and over IPv6 where the line has nothing else
        routable_app_step AND (target_tried_over_ipv4 ? NOT is_ipv6 : control_works_over_ipv6) AS app_step,
        routable_app_step AND target_tried_over_ipv4 AND is_ipv6 AND control_works_over_ipv6 AS app_step_over_ipv6,
        of_target AND is_resolve AND via_system AND is_main_host AS system_lookup,
        of_target AND is_resolve AND via_second AND is_main_host AS second_lookup,
        multiIf(
            is_connect AND was_refused, 'refused',
            (is_connect OR is_hold) AND was_reset, 'reset',
            is_connect AND no_reply, 'timeout',
            is_exchange AND no_reply, 'dropped',
            is_exchange AND was_reset AND NOT bytes_received, 'cut',
            is_exchange AND was_closed, 'closed', '') AS app_failure_kind,
        -- what a user would have noticed: neither the second DNS path nor plain HTTP
        of_target AND NOT succeeded AND (system_lookup OR web_step OR app_step) AS visible_failure
    FROM described_steps
),

-- One row per run and surface: what its steps add up to.
run_totals AS (
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
        maxIf(path, path NOT IN ('direct', 'unknown')) AS detour,
        max(resolver) AS line_resolver,
        max(loop_lag_ms) AS worst_lag_ms,
        min(timeout_ms) AS least_timeout_ms,
        countIf(no_reply) AS timed_out,
        countIf(of_control) AS control_steps,
        countIf(of_control AND is_handshake AND succeeded) AS control_reached,
        countIf(of_control AND is_connect AND succeeded) AS control_met,
        countIf(succeeded AND (web_handshake OR (app_step AND is_exchange))) AS served,
        countIf(of_target AND NOT (is_ipv6 AND control_over_ipv4) AND (NOT succeeded OR fingerprint != '' OR injected)) AS troubled,
        -- A control that fails over IPv6 invalidates only what was tested over IPv6, unless the line has no IPv4.
        arraySort(groupUniqArrayIf(
            op || ' ' || error,
            of_control AND NOT succeeded AND NOT is_transfer AND NOT via_system6 AND NOT (is_ipv6 AND control_over_ipv4)
        )) AS control_failures,
        max(sweep) AS sweep,
        countIf(of_target) AS target_steps,
        countIf(visible_failure) AS misses,
        argMinIf(error, (step_rank, start_ms), visible_failure) AS failure,

        -- dns
        countIf(system_lookup) AS system_asked,
        arraySort(groupUniqArrayArrayIf(answers, system_lookup)) AS system_answers,
        arraySort(groupUniqArrayArrayIf(answers, of_target AND is_resolve AND via_system6 AND is_main_host)) AS system6_answers,
        maxIf(error, system_lookup) AS system_worst,
        countIf(system_lookup AND injected) > 0 AS dns_injected,
        arraySort(groupUniqArrayArrayIf(answers, second_lookup)) AS second_answers,
        maxIf(error, second_lookup) AS second_worst,
        maxIf(rcode, second_lookup) >= 0 AS second_replied,

        -- web, port 443
        groupUniqArrayIf(ip, web_step AND (is_connect OR is_hold OR is_handshake)) AS tried,
        groupUniqArrayIf(ip, web_handshake AND succeeded) AS handshake_ok,
        groupUniqArrayIf(ip, web_handshake AND wrong_certificate) AS handshake_bad_certificate,
        groupUniqArrayIf(ip, web_handshake AND out_of_date_certificate) AS handshake_outdated,
        groupUniqArrayIf(ip, web_handshake AND was_reset) AS handshake_reset,
        groupUniqArrayIf(ip, web_handshake AND no_reply) AS handshake_timeout,
        groupUniqArrayIf(ip, web_handshake AND was_closed) AS handshake_eof,
        groupUniqArrayIf(ip, of_contrast AND is_handshake AND step_failure = '') AS contrast_ok,
        groupUniqArrayIf(ip, web_step AND is_connect AND was_refused) AS connect_refused,
        groupUniqArrayIf(ip, web_step AND (is_connect OR is_hold) AND was_reset) AS connect_reset,
        groupUniqArrayIf(ip, web_step AND is_connect AND no_reply) AS connect_timeout,
        -- web, port 80
        arraySort(groupUniqArrayIf(
            fingerprint, of_target AND is_main_host AND fingerprint != '' AND endsWith(address, ':80'))) AS fingerprints,

        -- web, what only sweeps test
        maxIf(bytes_per_second, of_target AND is_transfer AND succeeded) AS target_rate,
        maxIf(bytes_per_second, of_control AND is_transfer AND succeeded AND bytes_received >= 16384) AS control_rate,
        groupArrayArrayIf(curve, of_target AND is_transfer) AS target_curve,
        maxIf(
            multiIf(was_reset, 'a reset', no_reply, 'silence', '') || ' after ' || toString(bytes_received) || ' bytes',
            of_target AND is_transfer AND (was_reset OR no_reply)
        ) AS transfer_cut,
        maxIf(error, of_target AND is_main_host AND is_request AND on_port_443) AS page_failure,
        arraySort(groupUniqArrayIf(quic_outcome, is_quic AND NOT has(no_route, step_failure))) AS quic,
        arraySort(groupUniqArrayIf(toString(step_target), is_web AND of_target AND NOT is_main_host)) AS sockets,
        arraySort(groupUniqArrayIf(
            toString(step_target), is_web AND of_target AND NOT is_main_host AND NOT is_request AND NOT succeeded)) AS sockets_failed,

        -- app, by connection. A failure before any byte was sent counts as one of TCP.
        sumMapIf([toString(step_target)], [1], app_step AND is_connect) AS dc_tried,
        sumMapIf([toString(step_target)], [1], app_step AND NOT succeeded) AS dc_failed,
        groupArrayIf(app_failure_kind, app_step AND app_failure_kind != '') AS app_how,
        sumMapIf([toString(step_target)], [1], app_step_over_ipv6 AND is_connect) AS dc6_tried,
        sumMapIf([toString(step_target)], [1], app_step_over_ipv6 AND NOT succeeded) AS dc6_failed,
        groupArrayIf(app_failure_kind, app_step_over_ipv6 AND app_failure_kind != '') AS app6_how,
        countIf(app_step AND is_exchange AND via_intermediate) AS plain_tried,
        countIf(app_step AND is_exchange AND via_intermediate AND NOT succeeded) AS plain_failed,
        countIf(app_step AND is_exchange AND via_obfuscated) AS obfuscated_tried,
        countIf(app_step AND is_exchange AND via_obfuscated AND NOT succeeded) AS obfuscated_failed,
        countIf(app_step_over_ipv6 AND is_connect) AS app6_tried,
        countIf(app_step_over_ipv6 AND NOT succeeded) AS app6_failed
    FROM classified_steps
    GROUP BY segment_id, run_id, surface
),

-- Target and control compared, the system's resolver and the second DNS path, and the two transports of the app.
run_comparisons AS (
    SELECT
        *,
        -- A light run makes a TLS handshake with the control only when something of the service fails. Where all of the
        -- service works, its own certificate or its app's answers show that the line works, with the control's name and
        -- connection.
        multiIf(
            control_steps = 0, '',
            empty(control_failures) AND (control_reached > 0 OR (control_met > 0 AND served > 0 AND NOT troubled)), 'ok',
            'fail'
        ) AS control,

        -- dns: judged by IPv4 addresses, which every name in use has
        notEmpty(system_answers) ? '' : system_worst AS system_failure,
        notEmpty(second_answers) ? '' : second_worst AS second_failure,
        second_replied AND empty(second_answers) AS second_denies,
        -- what the name should resolve to: the second path's answers, or where that path is blocked, the watch's addresses
        arraySort(notEmpty(second_answers) ? second_answers : arrayFilter(a -> NOT has(own_answers, a), tried)) AS known_answers,
        arrayFilter(
            a -> arrayExists(
                net -> isIPAddressInRange(if(isIPv4String(a) OR isIPv6String(a), a, '0.0.0.0'), net), bogon_networks),
            system_answers) AS bogons,

        -- web: the addresses that a user's connection would have used: those from the line's own resolver, where it gave any
        arrayConcat(system_answers, system6_answers) AS own_answers,
        empty(own_answers) ? tried : arrayIntersect(tried, own_answers) AS reach,

        -- web: the target's transfer compared with the control's. One that stalled for most of its time was broken off, not throttled.
        arrayCount(n -> n > 0, arrayDifference(arrayConcat([0], target_curve))) >= 4 AS came_steadily,
        multiIf(
            target_rate = 0 OR control_rate < fast_enough, nan,
            target_rate > throttled_below * control_rate OR (came_steadily AND target_rate < slow_enough), target_rate / control_rate,
            nan
        ) AS speed,

        -- app: the failed share of each datacentre's connections, so that a sweep with many and a light run with one compare
        arrayMap((dc, tries) -> dc_failed.2[indexOf(dc_failed.1, dc)] / tries, dc_tried.1, dc_tried.2) AS dc_shares,
        arrayMap((dc, tries) -> dc6_failed.2[indexOf(dc6_failed.1, dc)] / tries, dc6_tried.1, dc6_tried.2) AS dc6_shares,

        plain_tried > 0 AND plain_failed = plain_tried AND obfuscated_tried > 0 AND NOT obfuscated_failed AS plain_only,
        obfuscated_tried > 0 AND obfuscated_failed = obfuscated_tried AND plain_tried > 0 AND NOT plain_failed AS obfuscated_only
    FROM run_totals
),

-- The addresses where each web outcome was met, and the share of the app's endpoints that failed.
run_outcomes AS (
    SELECT
        *,
        notEmpty(system_answers) AND notEmpty(known_answers) AND NOT hasAny(system_answers, known_answers) AS dns_disjoint,
        system_failure = 'dns_nxdomain_error' AS system_denies,

        -- web: each array of addresses limited to those in reach, or to the known ones
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

        -- web blocked over IPv6 alone, on a line where IPv4 works: light runs only connect over IPv6, sweeps test all of it
        arrayFilter(a -> isIPv6String(a), arrayConcat(tcp_refused, tcp_reset, tcp_timeout)) AS cut6,
        notEmpty(cut6) AND arrayExists(a -> isIPv4String(a), tls_ok) AND NOT arrayExists(a -> isIPv6String(a), tls_ok) AS web_cut6,
        web_cut6 ? '; over IPv4 the service works, and over IPv6 the control: a block of IPv6 alone' : '' AS over6,

        speed < throttled_below AS is_throttled,

        -- app: an endpoint is a datacentre
        length(dc_shares) AS endpoints,
        arrayCount(share -> share > 0, dc_shares) AS failed,
        -- app blocked over IPv6 alone: IPv4 works, and of two or more datacentres tested over IPv6 half failed, which is a
        -- quarter of all addresses that an app could use
        endpoints > 0 AND arrayAvg(dc_shares) < blocked_from AND length(dc6_shares) > 1 AND arrayAvg(dc6_shares) >= 0.5 AS app_cut6,
        multiIf(
            web_cut6, 0.5, endpoints = 0, nan, app_cut6, greatest(arrayAvg(dc_shares), arrayAvg(dc6_shares) / 2),
            arrayAvg(dc_shares)) AS share_failed,
        ['refused', 'reset', 'timeout', 'dropped', 'cut', 'closed'] AS app_kinds,
        arrayMap(kind -> countEqual(app_cut6 ? app6_how : app_how, kind), app_kinds) AS app_counts
    FROM run_comparisons
)

-- The kind of failure met most often by the app, and its evidence in words.
SELECT
    *,
    share_failed < blocked_from AS app_works,
    app_counts[1] AS app_refused,
    app_counts[2] AS app_reset,
    app_counts[3] AS app_timeout,
    app_counts[4] AS app_dropped,
    app_counts[5] AS app_cut,
    app_counts[6] AS app_closed,
    arrayMax(app_counts) AS app_most,
    app_most = 0 ? '' : app_kinds[indexOf(app_counts, app_most)] AS app_failure,
    concat(
        toString(failed), ' of ', toString(endpoints), ' endpoints failed',
        sweep ? ' (' || toString(arraySum(dc_failed.2)) || ' of ' || toString(arraySum(dc_tried.2)) || ' connections)' : '',
        plain_failed + obfuscated_failed = 0 ? '' : '; exchanges that failed: ' || arrayStringConcat(arrayFilter(t -> t != '', [
            plain_tried = 0 ? '' : 'intermediate ' || toString(plain_failed) || ' of ' || toString(plain_tried),
            obfuscated_tried = 0 ? '' : 'obfuscated ' || toString(obfuscated_failed) || ' of ' || toString(obfuscated_tried)]), ', '),
        plain_only ? '; the plain transport is cut and the obfuscated one lives: the traffic is inspected' : '',
        obfuscated_only ? '; the obfuscated transport is cut and the plain one lives: the traffic is inspected' : '',
        app6_tried = 0 ? '' : '; over IPv6 ' || toString(app6_failed) || ' of ' || toString(app6_tried) || ' failed',
        app_cut6 ? ', where the control works over IPv6: a block of IPv6 alone' : ''
    ) AS app_seen
FROM run_outcomes

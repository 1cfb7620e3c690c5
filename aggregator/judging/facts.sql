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
    ['network_unreachable', 'address_family_not_supported', 'address_not_available'] AS no_route,
    -- Bytes a second. A control that is slower can't tell a throttled service (known cases: 128 to 150 kbit/s) from a
    -- slow line; a service that is faster is not throttled whatever the control does.
    65536 AS fast_enough,
    32768 AS slow_enough,
    -- Below this part of the control's speed a service is slow: THROTTLED in aggregator/inference/rows/clean.py.
    0.25 AS throttled
SELECT
    *,
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
FROM
-- What rests on what stands below; a level of its own, since the engine writes an alias out at each of its uses.
(
    SELECT
        *,
        notEmpty(system_answers) AND notEmpty(known_answers) AND NOT hasAny(system_answers, known_answers) AS dns_disjoint,
        system_failure = 'dns_nxdomain_error' AS system_denies,
        -- web: every set cut down to those addresses
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

        -- web over IPv6, on a line where IPv4 works: light runs connect, sweeps do everything
        arrayFilter(a -> isIPv6String(a), arrayConcat(tcp_refused, tcp_reset, tcp_timeout)) AS cut6,
        notEmpty(cut6) AND arrayExists(a -> isIPv4String(a), tls_ok) AND NOT arrayExists(a -> isIPv6String(a), tls_ok) AS web_cut6,
        web_cut6 ? '; over IPv4 the service works, and over IPv6 the control: a block of IPv6 alone' : '' AS over6,

        length(dc_shares) AS endpoints,
        arrayCount(share -> share > 0, dc_shares) AS failed,
        -- app over IPv6 alone: IPv4 works, and of two datacentres or more that were tested over IPv6 half failed: a quarter
        -- of all that a person could use
        endpoints > 0 AND arrayAvg(dc_shares) < 0.25 AND length(dc6_shares) > 1 AND arrayAvg(dc6_shares) >= 0.5 AS app_cut6,
        multiIf(
            web_cut6, 0.5, endpoints = 0, nan, app_cut6, greatest(arrayAvg(dc_shares), arrayAvg(dc6_shares) / 2),
            arrayAvg(dc_shares)) AS share_failed,
        ['refused', 'reset', 'timeout', 'dropped', 'cut', 'closed'] AS app_kinds,
        arrayMap(kind -> countEqual(app_cut6 ? app6_how : app_how, kind), app_kinds) AS app_counts
    FROM
    (
        SELECT
            *,
            -- A light run asks the control for certificates only when something of the service fails. Where all of it works,
            -- the service's own certificate or answers show that the line works, beside the control's name and connection.
            multiIf(
                control_steps = 0, '',
                empty(control_failures) AND (control_reached > 0 OR (control_met > 0 AND served > 0 AND NOT troubled)), 'ok',
                'fail'
            ) AS control,

            -- dns: judged by IPv4 addresses, which every name that a person uses has
            notEmpty(system_answers) ? '' : system_worst AS system_failure,
            notEmpty(second_answers) ? '' : second_worst AS second_failure,
            second_replied AND empty(second_answers) AS second_denies,
            -- what the name should give: the second path's answers, or where that is closed, the watch's own addresses
            arraySort(notEmpty(second_answers) ? second_answers : arrayFilter(a -> NOT has(own_answers, a), tried)) AS known_answers,
            arrayFilter(
                a -> arrayExists(
                    net -> isIPAddressInRange(if(isIPv4String(a) OR isIPv6String(a), a, '0.0.0.0'), net), never_a_service),
                system_answers) AS bogons,

            -- web: the addresses that the line's own resolver gave, where it gave any
            arrayConcat(system_answers, system6_answers) AS own_answers,
            empty(own_answers) ? tried : arrayIntersect(tried, own_answers) AS reach,

            -- web: a transfer beside the control's. One that stood still for most of its time was broken off, not throttled.
            arrayCount(n -> n > 0, arrayDifference(arrayConcat([0], target_curve))) >= 4 AS came_steadily,
            multiIf(
                target_rate = 0 OR control_rate < fast_enough, nan,
                target_rate > throttled * control_rate OR (came_steadily AND target_rate < slow_enough), target_rate / control_rate,
                nan
            ) AS speed,

            -- app: one share a datacentre, so that a sweep of many connections and a light run of one each can be compared
            arrayMap((dc, tries) -> dc_failed.2[indexOf(dc_failed.1, dc)] / tries, dc_tried.1, dc_tried.2) AS dc_shares,
            arrayMap((dc, tries) -> dc6_failed.2[indexOf(dc6_failed.1, dc)] / tries, dc6_tried.1, dc6_tried.2) AS dc6_shares,

            plain_tried > 0 AND plain_failed = plain_tried AND obfuscated_tried > 0 AND NOT obfuscated_failed AS plain_only,
            obfuscated_tried > 0 AND obfuscated_failed = obfuscated_tried AND plain_tried > 0 AND NOT plain_failed AS obfuscated_only
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
                maxIf(path, path NOT IN ('direct', 'unknown')) AS detour,
                max(resolver) AS line_resolver,
                max(loop_lag_ms) AS worst_lag_ms,
                min(timeout_ms) AS least_timeout_ms,
                countIf(silent) AS timed_out,
                countIf(of_control) AS control_steps,
                countIf(of_control AND shaking AND fine) AS control_reached,
                countIf(of_control AND connecting AND fine) AS control_met,
                countIf(fine AND (tls OR (app AND exchanging))) AS served,
                countIf(of_target AND NOT (ipv6 AND beside4) AND (NOT fine OR fingerprint != '' OR injected)) AS troubled,
                -- over IPv6 the control's failure spoils what was tested over IPv6, and no more where the line has IPv4
                arraySort(groupUniqArrayIf(
                    op || ' ' || trouble,
                    of_control AND NOT fine AND NOT transferring AND NOT via_system6 AND NOT (ipv6 AND beside4)
                )) AS control_failures,
                max(sweep) AS sweep,
                countIf(of_target) AS target_steps,
                countIf(missed) AS misses,
                argMinIf(trouble, (step_rank, start_ms), missed) AS failure,

                -- dns
                countIf(by_system) AS system_asked,
                arraySort(groupUniqArrayArrayIf(answers, by_system)) AS system_answers,
                arraySort(groupUniqArrayArrayIf(answers, of_target AND resolving AND via_system6 AND own)) AS system6_answers,
                maxIf(trouble, by_system) AS system_worst,
                countIf(by_system AND injected) > 0 AS dns_injected,
                arraySort(groupUniqArrayArrayIf(answers, by_second)) AS second_answers,
                maxIf(trouble, by_second) AS second_worst,
                maxIf(rcode, by_second) >= 0 AS second_replied,

                -- web, port 443
                groupUniqArrayIf(ip, web AND (connecting OR holding OR shaking)) AS tried,
                groupUniqArrayIf(ip, tls AND fine) AS handshake_ok,
                groupUniqArrayIf(ip, tls AND miscertified) AS handshake_bad_certificate,
                groupUniqArrayIf(ip, tls AND outdated) AS handshake_outdated,
                groupUniqArrayIf(ip, tls AND reset) AS handshake_reset,
                groupUniqArrayIf(ip, tls AND silent) AS handshake_timeout,
                groupUniqArrayIf(ip, tls AND closed) AS handshake_eof,
                groupUniqArrayIf(ip, of_contrast AND shaking AND step_failure = '') AS contrast_ok,
                groupUniqArrayIf(ip, web AND connecting AND refused) AS connect_refused,
                groupUniqArrayIf(ip, web AND (connecting OR holding) AND reset) AS connect_reset,
                groupUniqArrayIf(ip, web AND connecting AND silent) AS connect_timeout,
                -- web, port 80
                arraySort(groupUniqArrayIf(
                    fingerprint, of_target AND own AND fingerprint != '' AND endsWith(address, ':80'))) AS fingerprints,

                -- web, what only sweeps test
                maxIf(rate, of_target AND transferring AND fine) AS target_rate,
                maxIf(rate, of_control AND transferring AND fine AND taken >= 16384) AS control_rate,
                groupArrayArrayIf(curve, of_target AND transferring) AS target_curve,
                maxIf(
                    multiIf(reset, 'a reset', silent, 'silence', '') || ' after ' || toString(taken) || ' bytes',
                    of_target AND transferring AND (reset OR silent)
                ) AS transfer_cut,
                maxIf(trouble, of_target AND own AND requesting AND at_443) AS page_failure,
                arraySort(groupUniqArrayIf(quic_seen, over_udp AND NOT has(no_route, step_failure))) AS quic,
                arraySort(groupUniqArrayIf(toString(step_target), on_web AND of_target AND NOT own)) AS sockets,
                arraySort(groupUniqArrayIf(
                    toString(step_target), on_web AND of_target AND NOT own AND NOT requesting AND NOT fine)) AS sockets_failed,

                -- app: by connection. What comes before a byte was sent is TCP's.
                sumMapIf([toString(step_target)], [1], app AND connecting) AS dc_tried,
                sumMapIf([toString(step_target)], [1], app AND NOT fine) AS dc_failed,
                groupArrayIf(how, app AND how != '') AS app_how,
                sumMapIf([toString(step_target)], [1], app6 AND connecting) AS dc6_tried,
                sumMapIf([toString(step_target)], [1], app6 AND NOT fine) AS dc6_failed,
                groupArrayIf(how, app6 AND how != '') AS app6_how,
                countIf(app AND exchanging AND via_intermediate) AS plain_tried,
                countIf(app AND exchanging AND via_intermediate AND NOT fine) AS plain_failed,
                countIf(app AND exchanging AND via_obfuscated) AS obfuscated_tried,
                countIf(app AND exchanging AND via_obfuscated AND NOT fine) AS obfuscated_failed,
                countIf(app6 AND connecting) AS app6_tried,
                countIf(app6 AND NOT fine) AS app6_failed
            -- A level for what is said of a step, below it one for the words that this is said in, and below that the step's own
            -- columns. An alias is written out at each of its uses, which a column of the level below is not; and the engine's
            -- planning takes long over comparisons inside of AND.
            FROM
            (
                SELECT
                    *,
                    on_web AND of_target AND own AND at_443 AND NOT transfer_check AND NOT requesting AND (NOT ipv6 OR control6) AS web,
                    web AND shaking AS tls,
                    on_app AND of_target AND NOT has(no_route, step_failure) AS reachable,
                    -- judged over IPv4, as apps go, and over IPv6 where the line has nothing else
                    reachable AND (tried4 ? NOT ipv6 : control6) AS app,
                    reachable AND tried4 AND ipv6 AND control6 AS app6,
                    of_target AND resolving AND via_system AND own AS by_system,
                    of_target AND resolving AND via_second AND own AS by_second,
                    multiIf(
                        connecting AND refused, 'refused',
                        (connecting OR holding) AND reset, 'reset',
                        connecting AND silent, 'timeout',
                        exchanging AND silent, 'dropped',
                        exchanging AND reset AND NOT taken, 'cut',
                        exchanging AND closed, 'closed', '') AS how,
                    -- what a person would have noticed: not the second path, and not plain HTTP
                    of_target AND NOT fine AND (by_system OR web OR app) AS missed
                FROM
                (
                    SELECT
                        *,
                        surface = 'web' AS on_web,
                        surface = 'app' AS on_app,
                        check = 'transfer' AS transfer_check,
                        part = 'target' AS of_target,
                        part = 'control' AS of_control,
                        part = 'contrast' AS of_contrast,
                        op = 'resolve' AS resolving,
                        op = 'connect' AS connecting,
                        op = 'hold' AS holding,
                        op = 'handshake' AS shaking,
                        op = 'request' AS requesting,
                        op = 'transfer' AS transferring,
                        op = 'exchange' AS exchanging,
                        op = 'quic' AS over_udp,
                        via = 'system' AS via_system,
                        via = 'system6' AS via_system6,
                        via = 'second' AS via_second,
                        via = 'intermediate' AS via_intermediate,
                        via = 'obfuscated' AS via_obfuscated,
                        step_target = target AS own,
                        startsWith(address, '[') AS ipv6,
                        endsWith(address, ':443') AS at_443,
                        replaceRegexpOne(address, '^\\[?(.*?)\\]?:\\d+$', '\\1') AS ip,
                        trouble = '' AS fine,
                        trouble = 'connection_refused' AS refused,
                        trouble = 'connection_reset' AS reset,
                        trouble = 'eof_error' AS closed,
                        trouble = 'ssl_invalid_certificate' AS outdated,
                        has(timeouts, trouble) AS silent,
                        has(bad_certificates, trouble) AS miscertified,
                        indexOf(['resolve', 'connect', 'hold', 'handshake', 'request', 'exchange'], op) AS step_rank
                    FROM
                    (
                        SELECT
                            segment_id, run_id, watch, provider, surface, role, probe, line, at, received,
                            check, target, internal, network_changed, path, resolver, loop_lag_ms, timeout_ms, sweep,
                            beside4, control6, tried4,
                            steps.op AS op,
                            -- QUIC over UDP 443 is shown and decides nothing: many networks drop it whole, many services lack it.
                            op = 'quic' ? '' : steps.part AS part,
                            steps.part || ' ' || multiIf(
                                step_failure != '', step_failure,
                                steps.part != 'contrast' AND steps.certificate_failure != '', steps.certificate_failure,
                                'works') AS quic_seen,
                            steps.target AS step_target,
                            steps.address AS address,
                            steps.start_ms AS start_ms,
                            steps.failure AS step_failure,
                            steps.received AS taken,
                            steps.rcode AS rcode,
                            steps.answers AS answers,
                            steps.injected AS injected,
                            steps.fingerprint AS fingerprint,
                            steps.via AS via,
                            steps.curve AS curve,
                            steps.received * 1000 / greatest(steps.end_ms - steps.start_ms, 1) AS rate,
                            multiIf(op = 'quic', '', step_failure != '', step_failure, steps.certificate_failure) AS trouble
                        FROM
                        (
                            SELECT
                                segment_id, run_id, watch, provider, surface, role, probe, line, at, received,
                                check, target, internal, network_changed, path, resolver, loop_lag_ms, timeout_ms, sweep,
                                steps.part, steps.op, steps.target, steps.address, steps.via, steps.start_ms, steps.end_ms,
                                steps.failure, steps.received, steps.rcode, steps.answers, steps.injected,
                                steps.certificate_failure, steps.fingerprint, steps.curve,
                                arrayMap((p, o) -> o = 'quic' ? '' : p, steps.part, steps.op) AS parts,
                                arrayExists((p, a) -> p = 'control' AND a != '' AND a NOT LIKE '[%', parts, steps.address) AS beside4,
                                arrayExists((p, a) -> p = 'control' AND a LIKE '[%', parts, steps.address)
                                    AND NOT arrayExists(
                                        (p, a, f, c) -> p = 'control' AND a LIKE '[%' AND (f != '' OR c != ''),
                                        parts, steps.address, steps.failure, steps.certificate_failure) AS control6,
                                arrayExists(
                                    (p, a, f) -> p = 'target' AND a != '' AND a NOT LIKE '[%' AND NOT has(no_route, f),
                                    parts, steps.address, steps.failure) AS tried4
                            FROM measurements
                            WHERE received >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
                                AND received <= fromUnixTimestamp64Milli({until:Int64}, 'UTC')
                            LIMIT 1 BY measurement_id
                        )
                        LEFT ARRAY JOIN steps
                    )
                )
            )
            GROUP BY segment_id, run_id, surface
        )
    )
)

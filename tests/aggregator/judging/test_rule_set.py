"""Each rule decides a run of the table below, and leaves alone a run that is nearly the same."""

import ipaddress
import json
import secrets

import pytest

from aggregator import cli
from aggregator.intake.ingest import IncomingSegment, Ingest
from aggregator.judging import judge, rule_set
from probe.base.errors import UserError
from probe.protocol import addresses, segment
from probe.protocol.keys import Key
from probe.protocol.measurement import DnsReply
from tests.support.factory import (  # fmt: skip
    BOGON,
    TEST_WATCH,
    X,
    Y,
    agree,
    connect,
    control,
    dc,
    handshake,
    measurement,
    resolve,
    step,
    transfer,
)

RULES = rule_set.load(rule_set.newest())
RESET, REFUSED, TIMEOUT, EOF = "connection_reset", "connection_refused", "generic_timeout_error", "eof_error"
NXDOMAIN = resolve("system", failure="dns_nxdomain_error", rcode=3)
SECOND = resolve("second", X)
SECOND_CUT = resolve("second", failure=RESET, rcode=None)
SECOND_DENIES = resolve("second", failure="dns_nxdomain_error", rcode=3)
CONTRAST = {"part": "contrast", "via": "harmless.example"}
WRONG = {"certificate_failure": "ssl_unknown_authority"}
TWO_REPLIES = (DnsReply(ms=1.0, rcode=0, answers=(Y,)), DnsReply(ms=9.0, rcode=0, answers=(X,)))


def web(rule, *steps, name="", **fields):
    """A run of the web surface and the rule that decides it."""
    return pytest.param("web", steps, fields, rule, id=f"web-{rule}{'-' if name else ''}{name}")


def app(rule, *steps, name="", **fields):
    """A run of the app surface and the rule that decides it."""
    return pytest.param("app", steps, fields, rule, id=f"app-{rule}{'-' if name else ''}{name}")


def endpoints(good, *bad):
    """`good` endpoints that work, and one for each of `bad` that fails in that way."""
    steps = [s for n in range(good) for s in dc(n + 1)]
    return (*steps, *(s for n, how in enumerate(bad) for s in dc(good + n + 1, **how)))


def both_ways(count, **how):
    """`count` endpoints whose plain transport fails and whose obfuscated one works."""
    return [s for n in range(1, count + 1) for s in (*dc(n, **how), *dc(n, via="obfuscated"))]


def control6(failure=None):
    """The control over IPv6, on a line whose resolver works."""
    c = {"part": "control", "target": "control.example", "address": "[2001:db8::9]:443"}
    return (
        step("resolve", via="system", part="control", target="control.example", answers=("203.0.113.9",), rcode=0),
        step("connect", failure=failure, **c),
        *(() if failure else (step("handshake", **c),)),
    )


def agree6():
    """The name's IPv6 address."""
    return (resolve("system6", V6_IP),)


def over6(count, first=1, **how):
    """`count` endpoints over IPv6."""
    return [s for n in range(first, first + count) for s in dc(n, address=f"[2001:db8::{n}]:443", **how)]


FINE = (*agree(), *handshake())
LIGHT = control()[:2]
"""The control of a light run in which nothing was wrong."""
CONTROL_CONNECTION = {"part": "control", "target": "control.example", "address": "203.0.113.9:443"}
V6_IP = "2001:db8::1"
V6 = f"[{V6_IP}]:443"

TABLE = [
    # the run itself
    web("internal-error", *FINE, internal="KeyError at probe.measure.checks.tls:30"),
    app("internal-error", *endpoints(2), internal="KeyError at probe.measure.checks.telegram:30"),
    web("loop-lag", *agree(), *handshake(failure=TIMEOUT), loop_lag_ms=101.0),
    web("tls-timeout", *agree(), *handshake(failure=TIMEOUT), loop_lag_ms=99.0, name="lag-too-small-to-matter"),
    web("loop-lag", *FINE, control_steps=control(TIMEOUT), loop_lag_ms=101.0, name="the-control-timed-out"),
    web("web-works", *FINE, loop_lag_ms=500.0, name="in-spite-of-lag"),
    web("tls-reset", *agree(), *handshake(failure=RESET), loop_lag_ms=500.0, name="in-spite-of-lag"),
    web("network-changed", *agree(), *handshake(failure=TIMEOUT), vantage={"changed": True}),
    web("not-direct", *agree(), *handshake(failure=TIMEOUT), vantage={"path": "vpn"}),
    app("not-direct", *endpoints(0, {"connect": TIMEOUT}), vantage={"path": "split"}),
    web("tls-timeout", *agree(), *handshake(failure=TIMEOUT), vantage={"path": "unknown"}, name="path-not-known"),
    web("tls-timeout", *agree(), *handshake(failure=TIMEOUT), vantage={"path": "direct"}, name="direct"),
    web("resolver-not-the-providers", NXDOMAIN, SECOND, *handshake(), vantage={"resolver": "filter"}),
    web("resolver-not-the-providers", resolve("system", Y), SECOND, *handshake(Y, **WRONG), *handshake(X),
        vantage={"resolver": "other"}, name="another-address"),
    web("dns-nxdomain", NXDOMAIN, SECOND, vantage={"resolver": "provider"}, name="by-the-providers-own"),
    web("dns-injected", resolve("system", Y, replies=TWO_REPLIES), SECOND, vantage={"resolver": "other"},
        name="on-the-way-to-another-resolver"),
    web("tls-timeout", *agree(), *handshake(failure=TIMEOUT), vantage={"resolver": "filter"},
        name="names-not-at-issue"),
    web("certificate-out-of-date", *agree(), *handshake(certificate_failure="ssl_invalid_certificate")),
    web("tls-mitm", resolve("system", X, Y), SECOND, *handshake(certificate_failure="ssl_invalid_certificate"),
        *handshake(Y, **WRONG), name="wrong-and-not-just-old"),
    web("no-control", *agree(), *handshake(failure=TIMEOUT), control_steps=()),
    web("control-failed", *agree(), *handshake(failure=TIMEOUT), control_steps=control(TIMEOUT)),
    web("control-failed", *FINE, control_steps=control(**WRONG), name="captive-portal"),
    app("control-failed", *endpoints(0, {"connect": TIMEOUT}), control_steps=control(TIMEOUT)),
    web("web-works", *FINE, control_steps=LIGHT, name="the-service-vouches-for-the-line"),
    app("app-works", *endpoints(4), control_steps=LIGHT, name="its-answers-do"),
    web("control-failed", *agree(), control_steps=LIGHT, check="dns", name="nothing-vouches-for-the-line"),
    web("control-failed", *agree(), *handshake(failure=RESET), control_steps=LIGHT, name="met-and-no-more"),
    web("control-failed", *FINE, connect(port=80), step("request", address=f"{X}:80", fingerprint="law", status=200),
        control_steps=LIGHT, name="a-page-and-met-no-more"),
    app("control-failed", *endpoints(4, {"connect": TIMEOUT}), control_steps=LIGHT, name="one-of-five-and-met-no-more"),
    app("control-failed", *endpoints(4),
        control_steps=(LIGHT[0], step("connect", failure=TIMEOUT, **CONTROL_CONNECTION)),
        name="not-met"),
    web("nothing-tested"),
    app("nothing-tested", *dc(1, connect="network_unreachable", address="[2001:db8::1]:443"), name="no-ipv6-here"),
    # the name
    web("dns-injected", resolve("system", Y, replies=TWO_REPLIES), SECOND),
    web("dns-injected", resolve("system", failure="dns_nxdomain_error", rcode=3,
        replies=(DnsReply(ms=1.0, rcode=3), TWO_REPLIES[1])), SECOND, name="denial-then-answer"),
    web("web-works", resolve("system", X, replies=TWO_REPLIES[::-1]), SECOND, *handshake(), name="the-true-reply-won"),
    web("web-works", resolve("system", X, replies=(TWO_REPLIES[1], TWO_REPLIES[1])), SECOND, *handshake(),
        name="the-same-reply-twice"),
    web("dns-nxdomain", NXDOMAIN, SECOND, *handshake()),
    web("dns-nxdomain", NXDOMAIN, SECOND_CUT, name="second-path-cut"),
    web("name-unresolved", NXDOMAIN, SECOND_DENIES, name="the-name-is-gone"),
    web("dns-bogus", resolve("system", BOGON, failure="dns_bogon_error"), SECOND, *handshake(), name="reserved"),
    web("dns-bogus", resolve("system", Y), SECOND, *handshake(Y, **WRONG), *handshake(X), name="wrong-certificate"),
    web("dns-bogus", resolve("system", Y), SECOND, connect(Y, TIMEOUT), *handshake(X), name="works-elsewhere"),
    web("dns-bogus", resolve("system", Y), SECOND_CUT, *handshake(Y, **WRONG), *handshake(X),
        name="works-where-the-watch-says"),
    web("web-works", resolve("system", Y), SECOND, *handshake(Y), *handshake(X), name="two-good-addresses"),
    web("tcp-timeout", resolve("system", Y), SECOND, connect(Y, TIMEOUT), connect(X, TIMEOUT), name="both-silent"),
    web("dns-timeout", resolve("system", failure=TIMEOUT, rcode=None), SECOND),
    web("name-unresolved", resolve("system", failure=TIMEOUT, rcode=None), SECOND_CUT, name="both-silent"),
    web("dns-refused", resolve("system", failure="dns_servfail_error", rcode=2), SECOND),
    # the connection
    web("http-blockpage", *FINE, connect(port=80), step("request", address=f"{X}:80", fingerprint="law", status=200)),
    web("web-works", *FINE, connect(port=80), step("request", address=f"{X}:80", failure=EOF), name="port-80-broken"),
    web("web-works", *FINE),
    web("tcp-refused", *agree(), connect(failure=REFUSED)),
    web("tcp-reset", *agree(), connect(), step("hold", address=f"{X}:443", failure=RESET), *handshake(failure=RESET)),
    web("tcp-reset", *agree(), connect(failure=RESET), name="on-connecting"),
    web("tcp-timeout", *agree(), connect(failure=TIMEOUT)),
    web("tcp-timeout", *agree(), connect(failure="timed_out"), name="the-kernel-gave-up"),
    web("web-works", *FINE, connect(failure=TIMEOUT, port=80), name="only-port-80-silent"),
    web("tls-reset-after-sni", *agree(), *handshake(failure=RESET), *handshake(**CONTRAST)),
    web("tls-reset-after-sni", *agree(), *handshake(failure=RESET),
        *handshake(**CONTRAST, certificate_failure="ssl_invalid_hostname"), name="contrast-shows-another-certificate"),
    web("tls-reset", *agree(), *handshake(failure=RESET), *handshake(failure=RESET, **CONTRAST), name="contrast-too"),
    web("tls-reset", *agree(), *handshake(failure=RESET), name="no-contrast"),
    web("tls-timeout", *agree(), *handshake(failure=TIMEOUT), *handshake(**CONTRAST)),
    web("tls-mitm", *agree(), *handshake(**WRONG)),
    web("tls-wrong-certificate", resolve("system", X), SECOND_CUT, *handshake(**WRONG)),
    web("web-failed", *agree(), *handshake(failure=EOF)),
    web("web-answered", *agree(), check="dns"),
    # the app
    app("app-works", *endpoints(4)),
    app("app-works", *endpoints(4, {"connect": TIMEOUT}), name="one-of-five"),
    app("app-timeout", *endpoints(3, {"connect": TIMEOUT}), name="one-of-four"),
    app("app-works", *endpoints(2), *dc(9, connect="network_unreachable", address="[2001:db8::1]:443"),
        name="no-ipv6-here"),
    app("app-refused", *endpoints(0, {"connect": REFUSED}, {"connect": REFUSED}, {"connect": TIMEOUT})),
    app("app-reset", *endpoints(1, {"hold": RESET}, {"hold": RESET})),
    app("app-reset", *endpoints(1, {"connect": RESET}, {"hold": RESET}, {"exchange": TIMEOUT}), name="on-connecting"),
    app("app-cut-by-first-bytes", *endpoints(1, {"exchange": RESET}, {"exchange": RESET})),
    app("app-timeout", *endpoints(1, {"connect": TIMEOUT}, {"connect": TIMEOUT}, {"exchange": TIMEOUT})),
    app("mtproto-dropped", *endpoints(1, {"exchange": TIMEOUT}, {"exchange": TIMEOUT})),
    app("app-failed", *endpoints(1, {"exchange": EOF}, {"exchange": EOF})),
    app("app-failed", *endpoints(0, {"exchange": RESET, "received": 40}), name="reset-after-an-answer"),
    # the app in several ways: a datacentre counts by the part of its connections that failed
    app("mtproto-dropped", *both_ways(3, exchange=TIMEOUT), sweep=True, name="plain-cut-sweep"),
    app("mtproto-dropped", *dc(1, exchange=TIMEOUT), *dc(2, via="obfuscated"), *dc(3, exchange=TIMEOUT),
        *dc(4, via="obfuscated"), name="plain-cut-light"),
    app("app-works", *both_ways(1, exchange=TIMEOUT), *dc(2), *dc(3), sweep=True, name="half-of-one"),
    app("app-works", *endpoints(3), *dc(1, connect=TIMEOUT, address=V6), control_steps=(*control(), *control6()),
        name="judged-over-ipv4"),
    app("app-timeout", *dc(1, connect=TIMEOUT, address=V6), control_steps=control6(), name="ipv6-only"),
    app("nothing-tested", *dc(1, connect=TIMEOUT, address=V6), name="ipv6-without-control"),
    app("control-failed", *dc(1, address=V6), control_steps=control6(TIMEOUT), name="ipv6-only-offline"),
    app("app-works", *endpoints(2), control_steps=(*control(), *control6(TIMEOUT)), name="ipv6-broken"),
    app("app-timeout", *endpoints(3), *over6(5, connect=TIMEOUT),
        control_steps=(*control(), *control6()), name="ipv6-alone"),
    app("mtproto-dropped", *endpoints(3), *over6(3, exchange=TIMEOUT), *over6(2, first=4),
        control_steps=(*control(), *control6()), name="three-of-five-over-ipv6"),
    app("app-works", *endpoints(3), *over6(1, connect=TIMEOUT), *over6(4, first=2),
        control_steps=(*control(), *control6()), name="one-of-five-over-ipv6"),
    app("app-works", *endpoints(3), *over6(5, connect=TIMEOUT), control_steps=(*control(), *control6(TIMEOUT)),
        name="ipv6-broken-everywhere"),
    app("app-refused", *endpoints(0, {"connect": REFUSED}, {"connect": REFUSED}), *over6(5, connect=TIMEOUT),
        control_steps=(*control(), *control6()), name="ipv4-first"),
    web("tcp-timeout", *FINE, *agree6(), connect(V6_IP, TIMEOUT),
        control_steps=(*control(), *control6()), name="ipv6-alone"),
    web("tcp-reset", *FINE, *agree6(), connect(V6_IP), step("hold", address=V6, failure=RESET),
        control_steps=(*control(), *control6()), name="ipv6-alone"),
    web("web-works", *FINE, *agree6(), connect(V6_IP), control_steps=(*control(), *control6()), name="ipv6-connects"),
    web("web-works", *FINE, *agree6(), connect(V6_IP, TIMEOUT), control_steps=(*control(), *control6(TIMEOUT)),
        name="ipv6-broken"),
    # what only sweeps test
    web("web-works", *FINE, *agree6(), *handshake(V6_IP), *handshake(failure=TIMEOUT), name="ipv6-works",
        control_steps=(*control(), *control6())),
    web("tls-timeout", *agree(), *handshake(failure=TIMEOUT), *agree6(), *handshake(V6_IP),
        name="ipv6-without-control"),
    web("throttled", *FINE, transfer("control", 1_000_000), transfer(rate=16_000), sweep=True),
    web("web-works", *FINE, transfer("control", 40_000), transfer(rate=9_000), name="a-slow-line"),
    web("web-works", *FINE, transfer("control", 1_000_000), transfer(rate=200_000), name="slower-but-not-slow"),
    web("web-works", *FINE, transfer("control", 1_000_000), transfer(rate=16_000, curve=(9, 9, 9, 9, 9, 9, 9, 65536)),
        name="it-stood-still"),
    web("web-works", *FINE, transfer(rate=16_000), name="no-control-to-compare"),
    web("web-works", *FINE, transfer("control", 1_000_000, size=2000), transfer(rate=16_000), name="control-too-short"),
    web("cut-after-bytes", *FINE, transfer("control"), transfer(failure=TIMEOUT, size=16_000)),
    web("cut-after-bytes", *FINE, transfer("control"), transfer(failure=RESET, size=16_000), name="reset"),
    web("web-works", *FINE, transfer("control"), transfer(failure=EOF, size=16_000), name="a-server-that-closes"),
    web("web-works", *FINE, transfer("control", failure=TIMEOUT), transfer(failure=TIMEOUT), name="both-stalled"),
    web("web-works", *FINE, step("resolve", via="system", target="socket.example", failure="dns_nxdomain_error"),
        name="web-socket-host-gone"),
    web("web-works", *FINE, step("request", address=f"{X}:443", failure=RESET), name="front-page-cut"),
]  # fmt: skip


@pytest.fixture(scope="module")
def verdicts(store):
    """The stored verdict of every run of the table, by its id."""
    ingest = Ingest(store, Key.create("operator"), {"test": TEST_WATCH}, RULES)
    probe = Key.create("user")
    runs = {case.id: (secrets.token_hex(16), *case.values[:3]) for case in TABLE}
    made = [measurement(s, steps, run_id=i, **fields) for i, s, steps, fields in runs.values()]
    for n in range(0, len(made), 32):
        ingest.take([IncomingSegment(probe.id, segment.seal(made[n : n + 32], probe, 1, made[0].at_ms).raw)])
    found = {}
    for case, (run_id, *_) in runs.items():
        provider = "" if case == "web-network-changed" else "north-fixed"
        found[case] = store.read("run_verdicts", watch="test", provider=provider, run_id=run_id)
    return found


@pytest.mark.parametrize(("surface", "steps", "fields", "rule"), TABLE)
def test_the_run_is_decided_by_its_rule(verdicts, request, surface, steps, fields, rule):
    """One run gets one verdict, by the first rule that holds, with that rule's method and some evidence."""
    (verdict,) = verdicts[request.node.callspec.id]
    expected = next(r for r in RULES.rules if r.id == rule)
    assert verdict["rule"] == rule
    assert (verdict["surface"], verdict["verdict"]) == (surface, expected.verdict)
    assert verdict["method"] == (expected.method or "")
    assert verdict["evidence"]


def test_every_rule_decides_some_run():
    """The table has a run for each rule, but for `service-down`, which is decided when rows are read."""
    shown = {case.values[3] for case in TABLE}
    assert shown == {r.id for r in RULES.rules if r.stage == "run"}


def test_every_method_that_is_measured_has_a_rule():
    """Each method of the closed list is the method of some rule."""
    assert {r.method for r in RULES.rules} - {None} == set(rule_set.METHODS)


def test_a_run_of_several_checks_is_judged_as_one(store):
    """A run's DNS, TCP and TLS measurements give one verdict together, and its other surface gives another one."""
    run_id, probe = secrets.token_hex(16), Key.create("user")
    made = [
        measurement("web", agree(), run_id=run_id, check="dns"),
        measurement("web", [connect()], run_id=run_id, check="tcp"),
        measurement("web", [*handshake(failure=RESET), *handshake(**CONTRAST)], run_id=run_id, check="tls"),
        measurement("app", endpoints(3), run_id=run_id),
    ]
    ingest = Ingest(store, Key.create("operator"), {"test": TEST_WATCH}, RULES)
    ingest.take([IncomingSegment(probe.id, segment.seal(made, probe, 1, made[0].at_ms).raw)])
    found = store.read("run_verdicts", watch="test", provider="north-fixed", run_id=run_id)
    assert [(v["surface"], v["rule"]) for v in found] == [("app", "app-works"), ("web", "tls-reset-after-sni")]


def test_a_surface_without_rules_is_judged_by_those_for_all(store):
    """A failed control makes it inconclusive; where none of the common rules holds it has no verdict."""
    probe = Key.create("user")
    made = [measurement("smoke-signals", [connect()], control_steps=control(how)) for how in (TIMEOUT, None)]
    ingest = Ingest(store, Key.create("operator"), {"test": TEST_WATCH}, RULES)
    ingest.take([IncomingSegment(probe.id, segment.seal(made, probe, 1, made[0].at_ms).raw)])
    found = [store.read("run_verdicts", watch="test", provider="north-fixed", run_id=m.run_id) for m in made]
    assert [[v["rule"] for v in rows] for rows in found] == [["control-failed"], []]


def test_judging_again_changes_nothing(store, verdicts):
    """All history judged again under the same rules gives the same verdicts, each once."""
    before = store.read("verdict_count")
    assert judge.rejudge(store, RULES) == 1
    assert store.read("verdict_count") == before
    assert judge.is_judged(store, RULES)


def test_history_is_judged_again_by_one_command(store, verdicts, monkeypatch, capsys):
    """`aggregator rejudge --json` prints the rule set and the number of days."""

    class UnclosedStore:
        """The tests' store, which the command must not close."""

        read, insert_row, execute = store.read, store.insert_row, store.execute

        def close(self):
            """Do nothing."""

    monkeypatch.setattr("aggregator.cli.Store.open", lambda _, *, create: UnclosedStore())
    with pytest.raises(SystemExit) as ended:
        cli.app(["rejudge", "--store", "chdb:///the/tests", "--json"])
    assert not ended.value.code
    assert json.loads(capsys.readouterr().out) == {"rule_set": RULES.version, "days": 1}


def test_another_text_of_the_same_version_is_refused(store, verdicts):
    """A store judged under one text of a version refuses another: changed rules need a new version."""
    judge.ensure(store, RULES)
    changed = rule_set.read(RULES.text + "\n# a remark\n", RULES.version, "here")
    with pytest.raises(UserError, match=f"{RULES.version}.*another text"):
        judge.ensure(store, changed)


def test_the_facts_have_the_same_bogons_as_the_probe():
    """The list in SQL is the same as the one in Python."""
    for net in addresses._BOGONS:
        assert f"'{net}'" in rule_set.sql("facts")
        assert addresses.is_bogon(str(ipaddress.ip_network(net)[0]))
    assert rule_set.sql("facts").count("/") >= len(addresses._BOGONS)


def test_the_rule_for_a_service_that_is_down_is_in_the_view():
    """The condition in the rules is the one in the view `judged`."""
    (rule,) = [r for r in RULES.rules if r.stage == "read"]
    files = sorted((rule_set.DIRECTORY.parents[1] / "store" / "migrations").glob("*.sql"))
    view = [text for f in files if "VIEW" in (text := f.read_text()) and " judged AS" in text][-1]
    assert f"if({rule.condition}, '{rule.verdict}'," in view


def test_the_evidence_says_which_transport_fails(verdicts):
    """One transport fails and the other works, so the traffic is inspected; in a sweep connections are counted too."""
    (sweep,), (light,) = (verdicts[f"app-mtproto-dropped-plain-cut-{how}"] for how in ("sweep", "light"))
    assert sweep["evidence"].startswith(
        "3 of 3 endpoints failed (3 of 6 connections); exchanges that failed: intermediate 3 of 3, obfuscated 0 of 3; "
        "the plain transport is cut and the obfuscated one lives"
    )
    assert light["evidence"].startswith("2 of 4 endpoints failed; exchanges that failed: intermediate 2 of 2")


def test_the_evidence_has_what_else_was_seen(verdicts):
    """IPv6 beside IPv4, hosts of web sockets, both transfer rates, and the number of bytes received."""
    for case in ("app-app-timeout-ipv6-alone", "web-tcp-timeout-ipv6-alone"):
        assert "a block of IPv6 alone" in verdicts[case][0]["evidence"]
    assert "the front page after that: connection_reset" in verdicts["web-web-works-front-page-cut"][0]["evidence"]
    assert "over IPv6 1 of 1 failed" in verdicts["app-app-works-judged-over-ipv4"][0]["evidence"]
    sockets = verdicts["web-web-works-web-socket-host-gone"][0]["evidence"]
    assert "web socket hosts that failed: socket.example" in sockets
    assert "128 kbit/s from the service, 8000 from the control" in verdicts["web-throttled"][0]["evidence"]
    assert "silence after 16000 bytes" in verdicts["web-cut-after-bytes"][0]["evidence"]


ROW = '[[rule]]\nid = "a"\nsurface = "both"\nreason = "r"\nevidence = "\'e\'"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ROW + 'condition = "1"\nverdict = "blocked"\n', r"rule\[0\] a: a method is needed"),
        (ROW + 'condition = "1"\nverdict = "ok"\nmethod = "magic"\n', "magic"),
        (ROW + 'condition = "1"\nverdict = "down"\n', "need each other"),
        (ROW + 'condition = " "\nverdict = "ok"\n', "condition is empty"),
        (ROW + 'condition = "1"\nverdict = "ok"\n' + ROW + 'condition = "1"\nverdict = "ok"\n', "is used twice"),
        (ROW + 'condition = "changed"\nverdict = "ok"\n', "last rule for web"),
        (ROW + 'condition = "1"\nverdict = "ok"\ncolour = "red"\n', "colour"),
        ("rule = 3", "here"),
    ],
)
def test_a_wrong_rule_is_named(text, message):
    """The error names the file and the rule, and what is wrong."""
    with pytest.raises(UserError, match=message):
        rule_set.read(text, "x", "here")


def test_an_unknown_version_is_refused_with_a_list_of_versions():
    """The error lists the versions that exist."""
    with pytest.raises(UserError, match=rule_set.newest()):
        rule_set.load("1999-01")

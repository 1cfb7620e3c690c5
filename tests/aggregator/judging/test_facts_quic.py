"""What QUIC did is shown beside a verdict and never makes one."""

import secrets

import pytest

from aggregator.intake.ingest import IncomingSegment, Ingest
from probe.protocol import segment
from probe.protocol.keys import Key
from tests.aggregator.judging.test_rule_set import FINE, RULES, TABLE
from tests.support.aggregators import TEST_WATCH, X, measurement, step

TIMEOUT = "generic_timeout_error"
CONTROL = {"part": "control", "target": "control.example"}
WEB = [case for case in TABLE if case.values[0] == "web"]


def quic(failure=None, address=f"{X}:443", **facts):
    """A QUIC handshake."""
    return step("quic", via="web.example", address=address, failure=failure, **facts)


def beside(target, contrast=None, control=None, **facts):
    """The three handshakes of a sweep, each with how it failed."""
    return (
        quic(contrast, part="contrast", certificate_failure="ssl_invalid_hostname"),
        quic(target, **facts),
        quic(control, address="203.0.113.9:443", **CONTROL),
    )


NOTHING_WORKS = (
    *beside(TIMEOUT, TIMEOUT, TIMEOUT),
    quic(TIMEOUT, address="[2001:db8::9]:443", **CONTROL),
    quic(certificate_failure="ssl_unknown_authority"),
)
"""Silence wherever UDP 443 goes, and a stranger's certificate."""
EVERYTHING_WORKS = (*beside(None), quic(address="[2001:db8::9]:443", **CONTROL))


def judged(store, made):
    """The verdict of each measurement's run, by run id: its rule, verdict, method and evidence."""
    ingest, probe = Ingest(store, Key.create("operator"), {"test": TEST_WATCH}, RULES), Key.create("user")
    found = {}
    for n in range(0, len(made), 32):
        ingest.take([IncomingSegment(probe.id, segment.seal(made[n : n + 32], probe, 1, made[0].at_ms).raw)])
    for m in made:
        provider = "" if m.vantage.changed else "north-fixed"
        (v,) = store.read("run_verdicts", watch="test", provider=provider, run_id=m.run_id)
        found[m.run_id] = (v["rule"], v["verdict"], v["method"], v["evidence"])
    return found


@pytest.mark.parametrize("more", [NOTHING_WORKS, EVERYTHING_WORKS], ids=["nothing-works", "everything-works"])
def test_no_rule_decides_otherwise_because_of_it(store, more):
    """Every run of the rules' own table is judged as without it."""
    runs = {case.id: (secrets.token_hex(16), case) for case in WEB}
    made = []
    for run_id, case in runs.values():
        _, steps, fields, _ = case.values
        made.append(measurement("web", (*steps, *more), run_id=run_id, **fields))
    found = judged(store, made)
    told = {name: found[run_id][0] for name, (run_id, _) in runs.items()}
    assert told == {case.id: case.values[3] for case in WEB}


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (beside(TIMEOUT), "; HTTP/3 over QUIC: contrast works, control works, target generic_timeout_error"),
        (
            beside(None, control="connection_refused", certificate_failure="ssl_unknown_authority"),
            "; HTTP/3 over QUIC: contrast works, control connection_refused, target ssl_unknown_authority",
        ),
        (beside(None, control=TIMEOUT), ""),
        (beside(*["network_unreachable"] * 3), ""),
        ((), ""),
    ],
    ids=["the-name-alone", "a-strangers-certificate", "works", "no-route", "not-tested"],
)
def test_what_fails_over_quic_while_tls_works_is_shown(store, steps, said):
    """In the evidence of the verdict `ok`, with what the harmless name and the control did."""
    made = measurement("web", (*FINE, *steps), sweep=True)
    ((rule, verdict, method, evidence),) = judged(store, [made]).values()
    assert (rule, verdict, method) == ("web-works", "ok", "")
    assert evidence == f"verified at {X}{said}"

"""QUIC outcomes are shown in the evidence and never change a verdict."""

import secrets

import pytest

from aggregator.intake.ingest import IncomingSegment, Ingest
from probe.protocol import segment
from probe.protocol.keys import Key
from tests.aggregator.judging.test_rule_set import FINE, RULES, TABLE
from tests.support.factory import TEST_WATCH, X, measurement, step

TIMEOUT = "generic_timeout_error"
CONTROL = {"part": "control", "target": "control.example"}
WEB = [case for case in TABLE if case.values[0] == "web"]


def quic(failure=None, address=f"{X}:443", **facts):
    """A QUIC handshake."""
    return step("quic", via="web.example", address=address, failure=failure, **facts)


def three_handshakes(target, contrast=None, control=None, **facts):
    """The three handshakes of a sweep, each with its failure or None."""
    return (
        quic(contrast, part="contrast", certificate_failure="ssl_invalid_hostname"),
        quic(target, **facts),
        quic(control, address="203.0.113.9:443", **CONTROL),
    )


NOTHING_WORKS = (
    *three_handshakes(TIMEOUT, TIMEOUT, TIMEOUT),
    quic(TIMEOUT, address="[2001:db8::9]:443", **CONTROL),
    quic(certificate_failure="ssl_unknown_authority"),
)
"""No reply over UDP port 443 from anywhere, and a certificate of an unknown authority."""
EVERYTHING_WORKS = (*three_handshakes(None), quic(address="[2001:db8::9]:443", **CONTROL))


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
def test_quic_steps_change_no_verdict(store, more):
    """Every run of the rules' table gets the same verdict with QUIC steps added."""
    runs = {case.id: (secrets.token_hex(16), case) for case in WEB}
    made = []
    for run_id, case in runs.values():
        _, steps, fields, _ = case.values
        made.append(measurement("web", (*steps, *more), run_id=run_id, **fields))
    found = judged(store, made)
    rules = {name: found[run_id][0] for name, (run_id, _) in runs.items()}
    assert rules == {case.id: case.values[3] for case in WEB}


@pytest.mark.parametrize(
    ("steps", "shown"),
    [
        (three_handshakes(TIMEOUT), "; HTTP/3 over QUIC: contrast works, control works, target generic_timeout_error"),
        (
            three_handshakes(None, control="connection_refused", certificate_failure="ssl_unknown_authority"),
            "; HTTP/3 over QUIC: contrast works, control connection_refused, target ssl_unknown_authority",
        ),
        (three_handshakes(None, control=TIMEOUT), ""),
        (three_handshakes(*["network_unreachable"] * 3), ""),
        ((), ""),
    ],
    ids=["the-name-alone", "a-strangers-certificate", "works", "no-route", "not-tested"],
)
def test_a_failure_over_quic_while_tls_works_is_in_the_evidence(store, steps, shown):
    """The evidence of the verdict `ok` gives the outcomes of the service, the harmless name and the control."""
    made = measurement("web", (*FINE, *steps), sweep=True)
    ((rule, verdict, method, evidence),) = judged(store, [made]).values()
    assert (rule, verdict, method) == ("web-works", "ok", "")
    assert evidence == f"verified at {X}{shown}"

"""What a real probe measures under every method, in a country that runs as a process of its own."""

from __future__ import annotations

import asyncio

import pytest

from infra.lab.servers.listener import DROPS_SYNS
from probe.measure.run import measure
from probe.protocol.measurement import Vantage

TIMEOUT = "generic_timeout_error"
RESET = "connection_reset"
BOGUS = ("203.0.113.66:443", "handshake", "ssl_invalid_hostname")


@pytest.fixture(scope="module")
def runs(all_methods):
    """One run on every line, all at the same time: the steps, by line."""

    async def vantage() -> Vantage:
        return Vantage()

    async def one(line):
        for _ in range(5):  # a run in which the event loop was late is inconclusive to the rules, and unusable here
            run = await measure(all_methods.watch, all_methods.network(line), vantage)
            if not any(m.loop_lag_ms * 10 > m.timeout_ms for m in run):
                break
        assert not any(m.internal for m in run)
        return line, [s for m in run for s in m.steps]

    async def all_of_them():
        lines = [*(f"{p.id}-1" for p in all_methods.watch.providers), "reference-1"]
        return dict(await asyncio.gather(*map(one, lines)))

    return asyncio.run(all_of_them())


def failures(steps, part):
    """How steps of one part failed, as (address or path, operation, failure)."""
    return {
        (s.address or s.via, s.op, s.failure or s.certificate_failure)
        for s in steps
        if s.part == part and (s.failure or s.certificate_failure)
    }


def both(op, failure):
    """The same at every address of the app and the web site."""
    return {(f"198.51.100.{n}", op, failure) for n in ("11:443", "22:443", "80:443", "80:80")}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("free-1", set()),
        ("lifted-1", set()),
        ("reference-1", set()),
        ("dns-nxdomain-1", {("system", "resolve", "dns_nxdomain_error")}),
        ("dns-bogus-1", {BOGUS}),
        ("dns-injected-1", {BOGUS}),
        ("dns-timeout-1", {("system", "resolve", TIMEOUT)}),
        ("tcp-refused-1", both("connect", "connection_refused")),
        ("tls-reset-1", {("198.51.100.80:443", "handshake", RESET)}),
        ("tls-reset-after-sni-1", {("198.51.100.80:443", "handshake", RESET)}),
        ("tls-timeout-1", {("198.51.100.80:443", "handshake", TIMEOUT)}),
        ("tls-mitm-1", {("198.51.100.80:443", "handshake", "ssl_unknown_authority")}),
        ("http-blockpage-1", set()),
        ("throttled-1", set()),
        ("mtproto-dropped-1", {(f"198.51.100.{n}:443", "exchange", TIMEOUT) for n in (11, 22)}),
        ("partial-1", {("198.51.100.22:443", "exchange", TIMEOUT)}),
    ],
)
def test_a_method_makes_only_its_own_step_fail(runs, line, expected):
    """The step that the method interferes with fails, and the control works."""
    assert failures(runs[line], "target") == expected
    assert failures(runs[line], "control") == set()


def test_a_reset_comes_before_any_byte(runs):
    """At every address, while connecting or while holding the connection, and before any answer."""
    steps = runs["tcp-reset-1"]
    target = failures(steps, "target")
    assert {address for address, _, _ in target} == {address for address, _, _ in both("connect", RESET)}
    assert {failure for _, _, failure in target} == {RESET}
    assert sum(s.received for s in steps if s.part == "target" and s.op != "resolve") == 0
    assert failures(steps, "control") == set()


def test_a_dropped_syn_times_out(runs):
    """The connection is never made (Linux), or made and never answered."""
    target = failures(runs["tcp-timeout-1"], "target")
    if DROPS_SYNS:
        assert target == both("connect", TIMEOUT)
    assert {failure for _, _, failure in target} == {TIMEOUT}
    assert failures(runs["tcp-timeout-1"], "control") == set()


def test_the_contrast_distinguishes_a_block_by_name(runs):
    """A harmless name at the same address passes a filter by name, but not a filter of all TLS."""

    def contrast(line):
        return {s.failure for s in runs[line] if s.part == "contrast" and s.op == "handshake"}

    assert contrast("tls-reset-after-sni-1") == {None}
    assert contrast("tls-reset-1") == {RESET}


def test_a_forged_answer_is_the_block_servers_and_an_injected_one_comes_first(runs):
    """One reply where the resolver answers falsely, two different ones where a reply is injected."""

    def replies(line):
        step = next(s for s in runs[line] if (s.part, s.op, s.via) == ("target", "resolve", "system"))
        return [r.answers for r in step.replies]

    forged, true = ("203.0.113.66",), ("198.51.100.80",)
    assert replies("dns-bogus-1") == [forged]
    assert replies("dns-injected-1") == [forged, true]
    assert replies("free-1") == [true]


def test_the_block_page_is_recognized(runs):
    """The probes know its fingerprint; the site itself answers with a redirect to https."""

    def page(line):
        (step,) = [s for s in runs[line] if s.op == "request" and s.address.endswith(":80")]
        return step.status, step.fingerprint, step.location

    assert page("http-blockpage-1") == (451, "blockonset.lab_order", "")
    assert page("free-1") == (301, "", "https://web.papergull.example")


def test_throttling_is_measured_next_to_the_controls_speed(runs):
    """The service's bytes arrive at an even 128 kbit/s, the control's and other providers' without a limit."""

    def rate(line, part):
        (step,) = [s for s in runs[line] if s.op == "transfer" and s.part == part]
        return step.received / (step.end_ms - step.start_ms) * 1000

    assert 8000 < rate("throttled-1", "target") < 20000
    for line, part in (("throttled-1", "control"), ("free-1", "target"), ("free-1", "control")):
        assert rate(line, part) > 4 * rate("throttled-1", "target")
    (slow,) = [s for s in runs["throttled-1"] if s.op == "transfer" and s.part == "target"]
    assert len({*slow.curve}) >= 5


def test_in_an_outage_the_control_fails_too(runs):
    """Nothing works, also not the control: no evidence of a block."""
    target = failures(runs["outage-1"], "target")
    assert {failure for _, _, failure in failures(runs["outage-1"], "control")} == {TIMEOUT}
    assert {failure for _, _, failure in target} == {TIMEOUT}
    assert ("second", "resolve", TIMEOUT) in target

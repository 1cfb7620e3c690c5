"""The shipped scenarios are valid, and errors in a scenario are named."""

from __future__ import annotations

import pytest

from infra.lab import scenario
from infra.lab.interference import methods

QUICK = (scenario.FOLDER / "quick.toml").read_bytes()


def test_the_staggered_country_has_the_documented_providers():
    """Twelve providers: seven by one method each, one partial, one lifted, and three that don't block."""
    s = scenario.load("staggered")
    blocks = {p.id: p.block for p in s.providers if p.block}
    whole = [b for b in blocks.values() if not b.endpoints and b.lift_s is None]
    assert len(s.providers) == 12
    assert {b.method for b in whole} == {
        "dns-nxdomain",
        "dns-bogus",
        "tcp-reset",
        "tcp-timeout",
        "tls-reset-after-sni",
        "tls-mitm",
        "http-blockpage",
    }
    assert len([b for b in blocks.values() if b.endpoints]) == 1
    assert len([b for b in blocks.values() if b.lift_s]) == 1
    assert len([p for p in s.providers if p.flaky]) == len([p for p in s.providers if p.outage]) == 1
    assert all(2 <= p.lines <= 4 for p in s.providers)


def test_every_block_leaves_enough_time_before_and_after_it():
    """The first onset is after 20 s, and at least 25 s follow the last one."""
    s = scenario.load("staggered")
    onsets = [p.block.onset_s for p in s.providers if p.block]
    assert min(onsets) > 20
    assert max(onsets) + 25 <= s.runs_s
    deadline = next(d.at_s for d in s.directive.dates if d.kind == "block_by")
    assert [o > deadline for o in onsets].count(True) == 2


def test_onsets_are_off_the_grid_of_the_cadence():
    """Otherwise a model that rounds to the cadence could be right by accident."""
    s = scenario.load("staggered")
    for p in s.providers:
        if p.block:
            assert p.block.onset_s % (s.cadence_s / 2) > 0.05


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (b'service = "', b'servize = "', "servize"),
        (b"cadence_s = 1.0", b'cadence_s = "1"', "$.cadence_s"),
        (b"timeout_s = 0.5", b"timeout_s = 0.6", "timeout_s"),
        (b'"dns-nxdomain"', b'"carrier-pigeon"', "providers, brindlewick-fixed, block.method"),
        (b"onset_s = 10.37", b"onset_s = 10.37, lift_s = 3", "providers, brindlewick-fixed, block.lift_s"),
        (b'"tcp-reset", ', b'"tcp-reset", endpoints = ["dc9"], ', "'dc9'"),
        (b'"dns-nxdomain", ', b'"dns-nxdomain", endpoints = ["dc1"], ', "doesn't block the app"),
        (b'"thessamy-mobile"', b'"caskenway-fixed"', "'caskenway-fixed' occurs twice"),
        (b"asn = 64610", b"asn = 15169", "asn: 15169"),
        (b'"192.0.2.10"', b'"8.8.8.8"', "control.addresses: 8.8.8.8"),
        (b'"198.51.100.22"', b'"nowhere"', "surfaces.app.endpoints: 'nowhere'"),
        (b'"lighthouse.example"', b'"lighthouse.com"', "control.host"),
        (b"lines = 2\nblock", b"lines = 2\nflaky = { line = 3, share = 0.4 }\nblock", "flaky.line"),
        (b"title", b"= title", "not a TOML file"),
    ],
)
def test_a_bad_scenario_is_refused_by_file_and_key(before, after, message):
    """The message names the file and the key that is wrong."""
    assert before in QUICK
    with pytest.raises(scenario.ScenarioError) as e:
        scenario.read(QUICK.replace(before, after), "quick", "some/where.toml")
    assert e.value.message.startswith("some/where.toml: ")
    assert message in e.value.message


def test_an_unknown_scenario_is_an_error_that_names_the_known_ones():
    """The message lists the names of the shipped scenarios."""
    with pytest.raises(scenario.ScenarioError, match=r"'staggerd'.*quick, staggered"):
        scenario.load("staggerd")


def test_a_scenario_can_be_a_file_of_ones_own(tmp_path):
    """A path that ends in .toml is read, and the scenario is named after the file."""
    (tmp_path / "mine.toml").write_bytes(QUICK)
    assert scenario.load(str(tmp_path / "mine.toml")).name == "mine"
    with pytest.raises(scenario.ScenarioError, match=r"absent\.toml can't be read"):
        scenario.load(str(tmp_path / "absent.toml"))


def test_every_method_of_the_table_is_one_that_a_verdict_can_name():
    """The lab has no method that is missing in the list of methods of verdicts."""
    closed = {
        *("dns-nxdomain", "dns-bogus", "dns-injected", "dns-timeout", "tcp-refused", "tcp-reset", "tcp-timeout"),
        *("tls-reset", "tls-reset-after-sni", "tls-timeout", "tls-mitm", "http-blockpage", "mtproto-dropped"),
        "throttled",
    }
    assert set(methods()) == closed

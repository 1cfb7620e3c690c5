"""The watch of a scenario: complete, fictional, and without the truth."""

from __future__ import annotations

import datetime as dt

import pytest

from infra.lab import scenario
from infra.lab.truth import truth
from infra.lab.watch import watch_toml
from probe.protocol import watch_file

ZERO_MS = 1_764_000_000_377


@pytest.mark.parametrize("name", scenario.names())
def test_the_watch_reads_as_any_other(name):
    """The text is a whole watch, with the scenario's times, providers and endpoints."""
    s = scenario.load(name)
    watch = watch_file.read(watch_toml(s, ZERO_MS), name)
    assert watch.id == f"lab-{name}"
    assert watch.fictional
    assert (watch.cadence_s, watch.timeout_s, watch.dns_lag_s) == (s.cadence_s, s.timeout_s, s.dns_lag_s)
    assert watch.surfaces == s.surfaces
    assert watch.control == s.control
    assert [(p.id, p.access, p.networks[0].asn) for p in watch.providers] == [
        (p.id, p.access, p.asn) for p in s.providers
    ]


def test_the_orders_dates_are_counted_from_zero():
    """Each date means the second that the scenario says, in the country's own zone."""
    s = scenario.load("staggered")
    directive = watch_file.read(watch_toml(s, ZERO_MS), "x").directive
    for kind, at_s in (("issued", 10.0), ("block_by", 75.0)):
        date = directive.date(kind)
        meant = dt.datetime.fromtimestamp(ZERO_MS / 1000 + at_s, dt.UTC)
        assert abs((date.span()[0] - meant).total_seconds()) <= 0.5
        assert date.timezone == s.timezone


def test_the_watch_tells_nothing_of_the_truth():
    """No method, onset or flaky line can be learned from what the probes and the aggregator are given."""
    s = scenario.load("staggered")
    text = watch_toml(s, ZERO_MS).decode()
    for p in s.providers:
        if p.block:
            assert p.block.method not in text
            assert f"{p.block.onset_s:g}" not in text
    assert "flaky" not in text
    assert "outage" not in text


def test_the_same_zero_gives_the_same_bytes():
    """A second start signs the same watch, so that its digest stays."""
    s = scenario.load("quick")
    assert watch_toml(s, ZERO_MS) == watch_toml(s, ZERO_MS)
    assert watch_toml(s, ZERO_MS) != watch_toml(s, ZERO_MS + 1000)


def test_quotes_and_other_scripts_survive():
    """Any text of a scenario comes back unchanged from the watch."""
    raw = (scenario.FOLDER / "quick.toml").read_bytes()
    raw = raw.replace(b'"Brindlewick Cable"', '"Cáp \\"Brindle\\\\wick\\" — 光"'.encode())
    s = scenario.read(raw, "quick", "x")
    assert watch_file.read(watch_toml(s, ZERO_MS), "x").providers[0].name == 'Cáp "Brindle\\wick" — 光'


def test_the_truth_has_a_row_for_every_provider():
    """Times are the zero time plus the scenario's seconds; who doesn't block has none."""
    rows = {r["provider"]: r for r in truth(scenario.load("staggered"), ZERO_MS)}
    assert len(rows) == 12
    assert rows["fennimarsh-fixed"] == {
        "provider": "fennimarsh-fixed",
        "blocked": True,
        "onset": "2025-11-24T16:00:44.667Z",
        "lift": "2025-11-24T16:01:33.087Z",
        "method": "tcp-refused",
        "surfaces": ["app", "web"],
    }
    assert rows["pellagorn-mobile"]["surfaces"] == ["app"]
    for quiet in ("thessamy-fixed", "vintrelle-mobile", "yarrowfell-fixed"):
        assert (rows[quiet]["blocked"], rows[quiet]["onset"], rows[quiet]["method"]) == (False, None, "")

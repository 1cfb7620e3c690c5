"""The watch of a scenario is complete and fictional, and doesn't contain the truth."""

from __future__ import annotations

import datetime as dt

import pytest

from infra.lab import scenario
from infra.lab.watch import watch_toml
from probe.protocol import watch_file

ZERO_MS = 1_764_000_000_377


@pytest.mark.parametrize("name", scenario.names())
def test_the_watch_reads_as_any_other(name):
    """The text is a complete watch with the scenario's times, providers and endpoints."""
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
    """Each date is the scenario's, to the second, in the country's own time zone."""
    s = scenario.load("staggered")
    directive = watch_file.read(watch_toml(s, ZERO_MS), "x").directive
    for kind, at_s in (("issued", 10.0), ("block_by", 75.0)):
        date = directive.date(kind)
        expected = dt.datetime.fromtimestamp(ZERO_MS / 1000 + at_s, dt.UTC)
        assert abs((date.span()[0] - expected).total_seconds()) <= 0.5
        assert date.timezone == s.timezone


def test_the_watch_contains_nothing_of_the_truth():
    """No method, onset or flaky line is in what the probes and the aggregator are given."""
    s = scenario.load("staggered")
    text = watch_toml(s, ZERO_MS).decode()
    for p in s.providers:
        if p.block:
            assert p.block.method not in text
            assert f"{p.block.onset_s:g}" not in text
    assert "flaky" not in text
    assert "outage" not in text


def test_the_same_zero_gives_the_same_bytes():
    """A second start signs the same watch, so that its digest stays the same."""
    s = scenario.load("quick")
    assert watch_toml(s, ZERO_MS) == watch_toml(s, ZERO_MS)
    assert watch_toml(s, ZERO_MS) != watch_toml(s, ZERO_MS + 1000)


def test_quotes_and_other_scripts_are_kept():
    """Any text of a scenario is unchanged in the watch."""
    raw = (scenario.FOLDER / "quick.toml").read_bytes()
    raw = raw.replace(b'"Brindlewick Cable"', '"Cáp \\"Brindle\\\\wick\\" — 光"'.encode())
    s = scenario.read(raw, "quick", "x")
    assert watch_file.read(watch_toml(s, ZERO_MS), "x").providers[0].name == 'Cáp "Brindle\\wick" — 光'

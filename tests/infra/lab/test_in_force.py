"""Which interference is in force at which time."""

from __future__ import annotations

from infra.lab import scenario
from infra.lab.in_force import LOSSY, OUTAGE, in_force
from infra.lab.interference import PASS, methods

STAGGERED = scenario.load("staggered")


def at(provider_id: str, t: float, line: int = 1):
    """The interference on a line of the staggered country."""
    return in_force(STAGGERED.provider(provider_id), line, t, slot_s=2.0, seed=STAGGERED.seed)


def test_a_block_lasts_from_its_onset_on():
    """Before the onset everything passes, from then on the method is in force."""
    block = STAGGERED.provider("caskenway-fixed").block
    assert at("caskenway-fixed", block.onset_s - 0.001) is PASS
    assert at("caskenway-fixed", block.onset_s) is methods()["tcp-reset"]
    assert at("caskenway-fixed", 1e6) is methods()["tcp-reset"]


def test_a_lift_ends_it():
    """The onset is part of the block, the lift is not."""
    block = STAGGERED.provider("fennimarsh-fixed").block
    assert at("fennimarsh-fixed", block.lift_s - 0.001).arrive == "refuse"
    assert at("fennimarsh-fixed", block.lift_s) is PASS


def test_a_partial_block_concerns_its_endpoints_and_nothing_else():
    """Two of five datacentres, and not the web site."""
    now = at("pellagorn-mobile", 100)
    assert [e for e in ("dc1", "dc2", "dc3", "dc4", "dc5") if now.touches("app", e)] == ["dc2", "dc4"]
    assert not now.touches("web")
    assert not now.touches("other")


def test_an_outage_concerns_controls_too():
    """This distinguishes it from a block."""
    assert at("yarrowfell-fixed", 60) is OUTAGE
    assert at("yarrowfell-fixed", 60).touches("other")
    assert at("yarrowfell-fixed", 73) is PASS


def test_a_flaky_line_is_bad_for_about_its_share_and_the_same_each_time():
    """The draw depends on the seed alone; the provider's other lines always work."""
    slots = [at("vintrelle-mobile", 2.0 * n + 0.5, line=3) is LOSSY for n in range(60)]
    assert 0.25 < sum(slots) / 60 < 0.55
    assert slots == [at("vintrelle-mobile", 2.0 * n + 1.9, line=3) is LOSSY for n in range(60)]
    assert all(at("vintrelle-mobile", t, line=n) is PASS for t in range(150) for n in (0, 1, 2))


def test_a_reference_has_no_interference():
    """Its network isn't censored."""
    assert in_force(None, 0, 100, slot_s=2, seed=1) is PASS

"""The pattern and the reasons of an answer."""

from __future__ import annotations

from aggregator.inference.onset import infer
from aggregator.inference.rows.parameters import Parameters
from tests.support.measured_fleet import FleetSpec, make, seconds

LAB = Parameters(cadence_s=2.0, lag_s=2.0)
FOREVER = 1e9


def test_partial_endpoints_are_a_partial_block() -> None:
    """If only some endpoints fail in the failed runs, the pattern is partial."""
    answer = infer(make(FleetSpec(blocks=((60, FOREVER),), share_failed=0.4)), LAB)
    assert (answer.state, answer.pattern) == ("blocked", "partial")


def test_gap_within_the_interval_is_named() -> None:
    """If no probe was on during part of the onset's interval, the reasons name that time."""
    answer = infer(make(FleetSpec(blocks=((60, FOREVER),), silent=(50, 80))), LAB)
    assert answer.onset is not None
    assert seconds(answer.onset.earliest) < 55
    assert seconds(answer.onset.latest) > 75
    assert any(r.startswith("no probe was awake between") for r in answer.reasons)

"""The truth of a scenario."""

from __future__ import annotations

from infra.lab import scenario
from infra.lab.truth import truth

ZERO_MS = 1_764_000_000_377


def test_the_truth_has_a_row_for_every_provider():
    """Times are the zero time plus the scenario's seconds; a provider that doesn't block has none."""
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
    for never in ("thessamy-fixed", "vintrelle-mobile", "yarrowfell-fixed"):
        assert (rows[never]["blocked"], rows[never]["onset"], rows[never]["method"]) == (False, None, "")

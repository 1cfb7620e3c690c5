"""The baselines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra.bench.onset.baselines import BASELINES
from infra.bench.onset.simulate import simulate_provider
from tests.support.simulated_fleets import HOUR_MS, SOUND


@pytest.mark.parametrize("name", list(BASELINES))
def test_baseline_finds_a_plain_block(name: str) -> None:
    """Each baseline finds a lasting block on three sound lines within a day, and none where there is none."""
    case = simulate_provider(SOUND, 3, 0, [])
    estimate = BASELINES[name](case.rows, case.truth.cadence_ms)
    assert estimate.onset is not None
    assert abs(estimate.onset - case.truth.blocks[0][0]) < 24 * HOUR_MS
    quiet = simulate_provider(replace(SOUND, shapes={"none": 1.0}), 3, 1, [])
    assert BASELINES[name](quiet.rows, quiet.truth.cadence_ms).onset is None

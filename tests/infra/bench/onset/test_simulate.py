"""The simulator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infra.bench.onset.simulate import STRESS, Fleet, simulate, simulate_provider
from tests.support.simulated_fleets import SMALL


def test_same_seed_same_fleet() -> None:
    """The same seed draws the same fleet, another seed another one."""
    one, again, other = simulate(SMALL, 1), simulate(SMALL, 1), simulate(SMALL, 2)
    assert all(np.array_equal(a.rows.at, b.rows.at) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[0].rows.at, other[0].rows.at)


@pytest.mark.parametrize("base", [SMALL, replace(STRESS, days=4.0, cadences=(1800.0,), probes=(3, 3), switching=0.0)])
def test_failures_follow_the_truth(base: Fleet) -> None:
    """Inside a lasting block sound probes mostly fail, before it they mostly succeed."""
    fleet = replace(base, name="x", shapes={"lasting": 1.0}, churn=0.0, spared=0.0, bad=0.0, skewed=0.0, lagged=0.0)
    case = simulate_provider(fleet, 3, 0, [])
    onset = case.truth.blocks[0][0]
    kept = case.rows.control == 0
    after = case.rows.at >= onset
    assert case.rows.outcome[kept & after].mean() > 0.8
    assert case.rows.outcome[kept & ~after].mean() < 0.1

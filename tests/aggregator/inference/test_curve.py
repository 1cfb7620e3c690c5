"""The share of providers that complied, over time."""

from __future__ import annotations

import pytest

from aggregator.inference.curve import curves
from aggregator.inference.onset import analyse
from aggregator.inference.rows.parameters import Parameters
from tests.support.measured_fleet import FleetSpec, make

DAY = 86400.0


def test_curve_has_a_band() -> None:
    """Three of four providers complied by the end; the band holds the share and rises with it."""
    blocks = [((DAY, 1e9),), ((2 * DAY, 1e9),), ((3 * DAY, 1e9),), ()]
    analyses = [
        analyse(make(FleetSpec(seed=i, cadence=600, length=4 * DAY, blocks=b)), Parameters(cadence_s=600))
        for i, b in enumerate(blocks)
    ]
    (drawn,) = curves(analyses, ())
    shares = [point["share"] for point in drawn["curve"]]  # type: ignore[attr-defined]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(0.75, abs=0.02)
    assert all(p["low"] <= p["share"] + 0.13 and p["share"] - 0.13 <= p["high"] for p in drawn["curve"])  # type: ignore[attr-defined]

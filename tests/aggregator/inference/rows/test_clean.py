"""Which rows are used, and their times."""

from __future__ import annotations

import pytest

from aggregator.inference.onset import infer
from aggregator.inference.rows.parameters import Parameters
from tests.support.measured_fleet import BASE, FleetSpec, make, seconds

LAB = Parameters(cadence_s=2.0, lag_s=2.0)
FOREVER = 1e9


@pytest.mark.parametrize("seed", range(6))
def test_outage_is_not_a_block(seed: int) -> None:
    """Failures during an outage are left out, those beside a control that passed too."""
    answer = infer(make(FleetSpec(seed=seed, outage=(60, 90))), LAB)
    assert answer.state == "reachable"
    assert answer.onset is None


def test_fast_clock_is_corrected() -> None:
    """A clock that is half an hour fast is corrected, since its rows arrive before their own time."""
    spec = FleetSpec(cadence=600, length=3 * 86400, blocks=((86400, FOREVER),), lines=2, skew={0: 1800})
    answer = infer(make(spec), Parameters(cadence_s=600))
    assert answer.onset is not None
    assert abs(seconds(answer.onset.estimate) - 86400) < 600
    assert "clocks corrected: 1 of 2 probes" in answer.reasons


def test_window_leaves_rows_out() -> None:
    """Rows after `end_ms` are not used: in a window before the block the provider is reachable."""
    rows = make(FleetSpec(blocks=((60, FOREVER),)))
    answer = infer(rows, Parameters(cadence_s=2.0, lag_s=2.0, end_ms=BASE + 55_000))
    assert answer.state == "reachable"

"""The accuracy of estimated onsets."""

from __future__ import annotations

import pytest

from infra.bench.onset.accuracy import OnsetEstimate, accuracy
from infra.bench.onset.simulate import SimulatedTruth
from tests.support.simulated_fleets import HOUR_MS


def truth(onset: int | None, lines: int = 3, showing_lines: int = 3) -> SimulatedTruth:
    """A provider that blocks from `onset` on, probed hourly for ten days."""
    blocks = () if onset is None else ((onset, None),)
    return SimulatedTruth("lasting" if blocks else "none", blocks, HOUR_MS, 20, 20, lines, showing_lines, 10.0)


def test_accuracy_of_known_estimates() -> None:
    """Error in cadences, coverage, misses with suspected blocks, and false onsets per thousand days."""
    start = 100 * HOUR_MS
    pairs = [
        (truth(start), OnsetEstimate(start + HOUR_MS, start - HOUR_MS, start + 2 * HOUR_MS)),
        (truth(start), OnsetEstimate(start - HOUR_MS, start - 3 * HOUR_MS, start - HOUR_MS)),
        (truth(start), OnsetEstimate(start, start, start, sure=False)),
        (truth(start, showing_lines=1), OnsetEstimate(start, start, start, sure=False)),
        (truth(start, lines=1, showing_lines=1), OnsetEstimate(start, start, start, sure=False)),
        (truth(start), OnsetEstimate(None)),
        (truth(None), OnsetEstimate(start)),
        (truth(None), OnsetEstimate(start, sure=False)),
    ]
    result = accuracy(pairs)
    assert (result.error_median, result.coverage, result.below) == (0.0, 0.8, 0.2)
    assert result.missed == pytest.approx(2 / 6)
    assert result.missed_probes == pytest.approx(3 / 6)
    assert (result.false_onsets, result.false_suspected) == (50.0, 50.0)

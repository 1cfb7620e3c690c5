"""The delay of sequential tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infra.bench.onset.alarms import ScoreTrace, alarm_delays, alarm_threshold
from infra.bench.onset.simulate import SimulatedTruth

AT = np.arange(10, dtype=np.int64)


def trace(scores: list[float], *blocks: tuple[int, int | None]) -> ScoreTrace:
    """Ten hourly measurements; 1,000 days are watched."""
    truth = SimulatedTruth("lasting" if blocks else "none", blocks, 1, 20, 20, 3, 3, 1000.0)
    return ScoreTrace(truth, AT, np.array(scores, float))


def test_threshold_allows_one_false_alarm_per_thousand_days() -> None:
    """With 2,000 days two alarms are allowed: the threshold is just above the third highest peak."""
    peaks = [trace([0, peak, 0, 0, 0, 0, 0, 0, 0, 0]) for peak in (5, 4, 3)]
    days = [replace(t.truth, days=2000 / 3) for t in peaks]
    threshold = alarm_threshold([replace(t, truth=truth) for t, truth in zip(peaks, days, strict=True)])
    assert threshold == pytest.approx(3, abs=1e-5)
    assert threshold > 3


def test_delay_counts_measurements_from_the_onset_to_the_alarm() -> None:
    """An alarm at the third measurement inside the block is a delay of three; one before it does not count."""
    quiet = trace([0, 5, 0, 0, 0, 0, 0, 0, 0, 0])
    found = trace([9, 0, 0, 0, 2, 3, 7, 7, 7, 7], (4, None))
    missed = trace([9, 0, 0, 0, 2, 3, 4, 4, 9, 9], (4, 8))
    delays = alarm_delays([quiet, found, missed])
    assert delays.median == 3
    assert delays.missed == pytest.approx(0.5)

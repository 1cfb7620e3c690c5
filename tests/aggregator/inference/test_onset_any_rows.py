"""Any rows give an answer without contradictions."""

from __future__ import annotations

import math
import warnings

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aggregator.inference.model.sequential_detector import trace
from aggregator.inference.onset import infer
from aggregator.inference.rows.parameters import Parameters
from aggregator.inference.rows.rows import Rows
from tests.support.measured_fleet import BASE

ROW = st.tuples(
    st.integers(0, 3),
    st.integers(0, 3_000_000) | st.sampled_from([0, 600_000, 1_200_000, 10**10]),
    st.sampled_from([-1, 0, 30_000, 10**8]),
    st.sampled_from([0, 0, 1, 1, 2]),
    st.sampled_from([0, 0, 1, 2]),
    st.sampled_from([math.nan, 0.01, 1.0]),
)


def rows_of(drawn: list[tuple[int, int, int, int, int, float]]) -> Rows:
    """Drawn tuples as columns."""
    probe, at, delay, outcome, control, speed = (np.array(c) for c in zip(*drawn, strict=True))
    n = len(drawn)
    times = BASE + at.astype(np.int64)
    return Rows(
        watch="w", provider="p", surface="",
        probe=probe.astype(np.str_), line=np.where(probe > 1, "", probe.astype(np.str_)),
        at=times, received=np.where(delay < 0, -1, times + delay),
        outcome=outcome.astype(np.int8), method=np.full(n, ""),
        share_failed=np.full(n, math.nan), speed=speed.astype(float), control=control.astype(np.int8),
        reference=np.full(n, 2, np.int8),
    )  # fmt: skip


@settings(max_examples=100, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ROW, min_size=1, max_size=60), st.sampled_from([None, 2.0, 600.0]), st.sampled_from([0.0, 2.0, 1200.0]))
def test_any_rows_give_a_consistent_answer(
    drawn: list[tuple[int, int, int, int, int, float]], cadence: float | None, lag: float
) -> None:
    """No exception or warning; exactly the states with a block have an onset; times are in order."""
    rows = rows_of(drawn)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = infer(rows, Parameters(cadence_s=cadence, lag_s=lag))
        scores = trace(rows)[3]
    assert 0 <= answer.p_block <= 1
    assert (answer.onset is None) == (answer.state in {"reachable", "insufficient"})
    for episode in answer.episodes:
        for interval in (episode.onset, episode.lift):
            if interval is not None and interval.earliest is not None:
                assert interval.estimate is not None
                assert interval.earliest <= interval.estimate <= interval.latest
    assert answer.used <= answer.measurements == rows.at.size
    assert scores.size == rows.at.size
    assert np.isfinite(scores).all()

"""The delay of sequential tests, each at the threshold that gives one false alarm in a thousand provider-days."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aggregator.inference.model.sequential_detector import trace
from aggregator.inference.rows.rows import Rows
from infra.bench.onset.accuracy import is_detectable
from infra.bench.onset.baselines import conclusive, failed
from infra.bench.onset.simulate import SimulatedProvider, SimulatedTruth

Floats = npt.NDArray[np.float64]
PER_DAYS = 1000.0
"""Provider-days in which one false alarm is allowed."""
INSIDE, OUTSIDE = 0.9, 0.02
"""Failure rates inside and outside a block, as the CUSUM supposes them."""
LOG_RATIO_FAIL, LOG_RATIO_OK = math.log(INSIDE / OUTSIDE), math.log(0.1 / 0.98)
"""Log likelihood ratios of one failed and one successful run, inside against outside."""
KL = INSIDE * LOG_RATIO_FAIL + 0.1 * LOG_RATIO_OK
"""Kullback-Leibler divergence of one run's outcome inside a block from that outside, nats."""


@dataclass(frozen=True, slots=True)
class ScoreTrace:
    """One provider's scores in order of arrival."""

    truth: SimulatedTruth
    at: npt.NDArray[np.int64]
    score: Floats


@dataclass(frozen=True, slots=True)
class AlarmDelays:
    """Delays of one test on one fleet, in measurements of the provider from the onset to the alarm."""

    threshold: float
    median: float
    p90: float
    missed: float
    """The share of detectable blocks without an alarm inside them."""
    bound: float
    """log(ARL) / KL, with the average run length ARL to a false alarm in measurements: asymptotically the least mean
    delay of any test (Lorden, 1971)."""


def model_scores(case: SimulatedProvider) -> ScoreTrace:
    """The scores of the model's sequential test."""
    _, at, _, score = trace(case.rows)
    return ScoreTrace(case.truth, at, score)


def cusum_scores(case: SimulatedProvider) -> ScoreTrace:
    """The baseline: Page's CUSUM of the log likelihood ratio, with the runs of all lines in one series."""
    rows: Rows = case.rows
    order = np.lexsort((rows.at, rows.received))
    fail, kept = failed(rows)[order], conclusive(rows)[order]
    step = np.where(kept, np.where(fail, LOG_RATIO_FAIL, LOG_RATIO_OK), 0.0)
    total = np.cumsum(step)
    score: Floats = total - np.minimum.accumulate(np.minimum(total, 0.0))
    return ScoreTrace(case.truth, rows.at[order], score)


def _alarm_count(scores: list[Floats], threshold: float) -> int:
    """How often a score rises to the threshold."""
    return sum(int(np.count_nonzero(np.diff((s >= threshold).astype(np.int8), prepend=0) > 0)) for s in scores)


def alarm_threshold(traces: list[ScoreTrace]) -> float:
    """A low threshold with at most one false alarm per PER_DAYS provider-days, on the providers without a block.

    Tried from the top: each such provider's highest score, until one allows too many; the result lies just above that.
    """
    quiet = [t for t in traces if not t.truth.blocks]
    scores = [t.score for t in quiet]
    allowed = sum(t.truth.days for t in quiet) / PER_DAYS
    least = math.inf
    for candidate in sorted({float(s.max()) for s in scores if s.size}, reverse=True):
        if _alarm_count(scores, candidate) > allowed:
            return candidate + 1e-6
        least = candidate
    return least


def alarm_delays(traces: list[ScoreTrace]) -> AlarmDelays:
    """The delays on the providers with a detectable block."""
    threshold = alarm_threshold(traces)
    delays, missed, detectable = [], 0, 0
    rows = days = 0.0
    for t in traces:
        if not t.truth.blocks:
            rows, days = rows + t.score.size, days + t.truth.days
            continue
        if not is_detectable(t.truth):
            continue
        detectable += 1
        onset, lift = t.truth.blocks[0]
        inside = (t.at >= onset) if lift is None else (t.at >= onset) & (t.at < lift)
        alarm = np.flatnonzero(inside & (t.score >= threshold))
        if alarm.size:
            delays.append(int(np.count_nonzero(inside[: alarm[0] + 1])))
        else:
            missed += 1
    return AlarmDelays(
        threshold=threshold,
        median=float(np.median(delays)) if delays else math.nan,
        p90=float(np.quantile(delays, 0.9)) if delays else math.nan,
        missed=missed / max(detectable, 1),
        bound=math.log(max(rows / max(days, 1.0) * PER_DAYS, 2.0)) / KL,
    )

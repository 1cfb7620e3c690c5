"""The sequential test's delay, at the threshold that gives one false alarm in a thousand provider-days."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aggregator.inference.model.sequential_test import trace
from aggregator.inference.rows.rows import FAIL, INCONCLUSIVE, OK, Rows
from infra.bench.onset.score import VISIBLE
from infra.bench.onset.simulate import SimulatedProvider, SimulatedTruth

Floats = npt.NDArray[np.float64]
PER_DAYS = 1000.0
KL = 0.9 * math.log(0.9 / 0.02) + 0.1 * math.log(0.1 / 0.98)
"""Information a run gives about a block, in nats: failing at 90 % inside, at 2 % outside."""


@dataclass(frozen=True, slots=True)
class Traced:
    """One provider's scores in order of arrival."""

    truth: SimulatedTruth
    at: npt.NDArray[np.int64]
    score: Floats


@dataclass(frozen=True, slots=True)
class Online:
    """One line of the table: measurements from onset to alarm."""

    threshold: float
    median: float
    p90: float
    missed: float
    bound: float
    """log(ARL) / KL: the fewest measurements that any test needs at this false-alarm rate, for these fleets."""


def ours(case: SimulatedProvider) -> Traced:
    """The scores of this project's test."""
    _, at, _, score = trace(case.rows)
    return Traced(case.truth, at, score)


def cusum(case: SimulatedProvider) -> Traced:
    """The plain rival: Page's CUSUM of the log likelihood ratio, all lines pooled into one rate."""
    rows: Rows = case.rows
    order = np.lexsort((rows.at, rows.received))
    fail = ((rows.outcome == FAIL) | ((rows.outcome == OK) & (rows.speed < 0.25)))[order]
    kept = ((rows.outcome != INCONCLUSIVE) & (rows.control != FAIL) & (rows.reference != FAIL))[order]
    step = np.where(kept, np.where(fail, math.log(0.9 / 0.02), math.log(0.1 / 0.98)), 0.0)
    total = np.cumsum(step)
    score: Floats = total - np.minimum.accumulate(np.minimum(total, 0.0))
    return Traced(case.truth, rows.at[order], score)


def _alarms(scores: list[Floats], threshold: float) -> int:
    """How often a score rises over the threshold."""
    return sum(int(np.count_nonzero(np.diff((s >= threshold).astype(np.int8), prepend=0) > 0)) for s in scores)


def threshold(traces: list[Traced]) -> float:
    """The least that gives at most one false alarm per PER_DAYS provider-days, on providers without a block."""
    quiet = [t for t in traces if not t.truth.blocks]
    scores = [t.score for t in quiet]
    allowed = sum(t.truth.days for t in quiet) / PER_DAYS
    best = math.inf
    for candidate in sorted({float(s.max()) for s in scores if s.size}, reverse=True):
        if _alarms(scores, candidate) > allowed:
            return candidate + 1e-6
        best = candidate
    return best


def online(traces: list[Traced]) -> Online:
    """Delays on the providers with a detectable block, missed where the alarm never comes during it."""
    level = threshold(traces)
    delays, missed, detectable = [], 0, 0
    rows = days = 0.0
    for t in traces:
        if not t.truth.blocks:
            rows, days = rows + t.score.size, days + t.truth.days
            continue
        if t.truth.seen < VISIBLE or t.truth.earlier < VISIBLE:
            continue
        detectable += 1
        onset, lift = t.truth.blocks[0]
        inside = (t.at >= onset) if lift is None else (t.at >= onset) & (t.at < lift)
        alarm = np.flatnonzero(inside & (t.score >= level))
        if alarm.size:
            delays.append(int(np.count_nonzero(inside[: alarm[0] + 1])))
        else:
            missed += 1
    return Online(
        threshold=level,
        median=float(np.median(delays)) if delays else math.nan,
        p90=float(np.quantile(delays, 0.9)) if delays else math.nan,
        missed=missed / max(detectable, 1),
        bound=math.log(max(rows / max(days, 1.0) * PER_DAYS, 2.0)) / KL,
    )

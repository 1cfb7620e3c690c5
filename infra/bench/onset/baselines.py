"""Baselines: other published methods of finding an onset, in simple forms with their usual settings.

Each takes a provider's rows and its cadence, computes the share of failed runs by bin (of a cadence unless stated
otherwise), and returns an OnsetEstimate. None of them distinguishes lines, as the model does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aggregator.inference.rows.rows import FAIL, INCONCLUSIVE, OK, Rows
from infra.bench.onset.accuracy import OnsetEstimate

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
HOUR_MS = 3_600_000
THROTTLED = 0.25
"""A successful run below this part of the control's speed counts as failed."""
JUMP = 0.3
"""A change of mean counts as an onset when the share of failures rises by more than this."""


@dataclass(frozen=True, slots=True)
class BinnedRuns:
    """Failures `k` and runs `n` by bin; bins without runs are left out."""

    start: npt.NDArray[np.int64]
    """The first ms of each bin."""
    k: Floats
    n: Floats
    width: int
    """Of a bin, ms."""

    @property
    def share(self) -> Floats:
        """The share of runs that failed."""
        return self.k / self.n


def conclusive(rows: Rows) -> Bools:
    """The rows that an analyst would keep: a conclusive outcome, and neither control nor reference failed."""
    kept: Bools = (rows.outcome != INCONCLUSIVE) & (rows.control != FAIL) & (rows.reference != FAIL)
    return kept


def failed(rows: Rows) -> Bools:
    """The rows that count as failed."""
    fail: Bools = (rows.outcome == FAIL) | ((rows.outcome == OK) & (rows.speed < THROTTLED))
    return fail


def binned(rows: Rows, width: int) -> BinnedRuns:
    """The conclusive rows in bins of `width` ms."""
    kept = conclusive(rows)
    bins, index = np.unique(rows.at[kept] // width, return_inverse=True)
    n = np.bincount(index, minlength=bins.size).astype(float)
    k = np.bincount(index, weights=failed(rows)[kept], minlength=bins.size).astype(float)
    return BinnedRuns((bins * width).astype(np.int64), k, n, width)


def ooni_cusum(rows: Rows, cadence_ms: int) -> OnsetEstimate:
    """OONI's event detector: CUSUM of the hourly median (0 or 1), h = 3.5, drift 0.35; here for increases only."""
    del cadence_ms
    series = binned(rows, HOUR_MS)
    medians = (series.share > 0.5).astype(float)
    total = mean = 0.0
    for i, value in enumerate(medians.tolist()):
        total = max(0.0, total + value - mean - 0.35)
        if total > 3.5:
            return OnsetEstimate(int(series.start[i]))
        mean += (value - mean) / (i + 1)
    return OnsetEstimate(None)


def _first_rise(series: BinnedRuns, ends: list[int]) -> OnsetEstimate:
    """The start of the first segment whose share of failures is more than JUMP above that of the one before.

    `ends`: the index of the bin after each segment.
    """
    edges = [0, *ends]
    means = [float(series.k[a:b].sum() / series.n[a:b].sum()) for a, b in itertools.pairwise(edges) if b > a]
    for i in range(1, len(means)):
        if means[i] - means[i - 1] > JUMP:
            return OnsetEstimate(int(series.start[edges[i]]))
    return OnsetEstimate(None)


def _penalty(series: BinnedRuns) -> float:
    """The BIC penalty for a change of mean; the noise is estimated from the differences of neighbouring bins."""
    noise = float(np.median(np.abs(np.diff(series.share)))) / 0.954 if series.share.size > 1 else 0.0
    return 3 * max(noise, 0.1) ** 2 * float(np.log(max(series.share.size, 2)))


def pelt(rows: Rows, cadence_ms: int) -> OnsetEstimate:
    """PELT (Killick and others, 2012) from ruptures, least squares, BIC penalty.

    `KernelCPD` with a linear kernel is the same cost and search, compiled.
    """
    import ruptures  # noqa: PLC0415 - a development tool, needed for the benchmark alone

    series = binned(rows, cadence_ms)
    if series.n.size < 10:
        return OnsetEstimate(None)
    fitted = ruptures.KernelCPD(kernel="linear", min_size=3).fit(series.share.reshape(-1, 1))
    return _first_rise(series, fitted.predict(pen=_penalty(series)))


def binseg(rows: Rows, cadence_ms: int) -> OnsetEstimate:
    """Binary segmentation from ruptures, with the same cost and penalty."""
    import ruptures  # noqa: PLC0415

    series = binned(rows, cadence_ms)
    if series.n.size < 10:
        return OnsetEstimate(None)
    fitted = ruptures.Binseg(model="l2", min_size=3, jump=1).fit(series.share.reshape(-1, 1))
    return _first_rise(series, fitted.predict(pen=_penalty(series)))


def hmm(rows: Rows, cadence_ms: int) -> OnsetEstimate:
    """A hidden Markov model: two states that fail at 3 % and 90 %, one change of state expected in the window."""
    series = binned(rows, cadence_ms)
    if series.n.size < 2:
        return OnsetEstimate(None)
    rates = np.array([0.03, 0.9])
    logs = series.k[:, None] * np.log(rates) + (series.n - series.k)[:, None] * np.log(1 - rates)
    e = np.exp(logs - logs.max(axis=1, keepdims=True))
    stay = 1 - 1 / series.n.size
    move = np.array([[stay, 1 - stay], [1 - stay, stay]])
    forward, backward = np.empty_like(e), np.ones_like(e)
    state = np.array([0.95, 0.05])
    for i in range(e.shape[0]):
        state = (state @ move if i else state) * e[i]
        state /= state.sum()
        forward[i] = state
    for i in range(e.shape[0] - 2, -1, -1):
        backward[i] = move @ (e[i + 1] * backward[i + 1])
        backward[i] /= backward[i].sum()
    joint = forward * backward
    p = joint[:, 1] / joint.sum(axis=1)
    if not (p > 0.5).any():
        return OnsetEstimate(None)
    first = int(np.flatnonzero(p > 0.5)[0])
    low = first
    while low > 0 and p[low - 1] > 0.025:
        low -= 1
    high = first
    while high < p.size - 1 and p[high] < 0.975:
        high += 1
    before = int(series.start[low - 1]) if low else int(series.start[0])
    return OnsetEstimate(int(series.start[first]), before, int(series.start[high]) + series.width)


BASELINES: dict[str, Callable[[Rows, int], OnsetEstimate]] = {
    "OONI CUSUM": ooni_cusum,
    "PELT": pelt,
    "Binseg": binseg,
    "two-state HMM": hmm,
}

"""Other people's ways of finding an onset, on the same rows: simple forms of each, with their usual settings.

Each takes a provider's series in bins of its cadence (the share of runs that failed, controls passing) and gives a
Guess. None of them knows lines; that is the point of comparing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aggregator.inference.rows.rows import FAIL, INCONCLUSIVE, OK, Rows
from infra.bench.onset.score import Guess

Floats = npt.NDArray[np.float64]
HOUR_MS = 3_600_000
JUMP = 0.3
"""A change of mean counts as a block's onset when the share of failures rises by this much."""


@dataclass(frozen=True, slots=True)
class BinnedRuns:
    """Failures and runs by bin; bins without runs are left out. `start` is each bin's first ms."""

    start: npt.NDArray[np.int64]
    k: Floats
    n: Floats
    width: int

    @property
    def share(self) -> Floats:
        """The share of runs that failed."""
        return self.k / self.n


def binned(rows: Rows, width: int) -> BinnedRuns:
    """The rows that an analyst would keep: conclusive, control and reference not failed."""
    kept = (rows.outcome != INCONCLUSIVE) & (rows.control != FAIL) & (rows.reference != FAIL)
    fail = (rows.outcome == FAIL) | ((rows.outcome == OK) & (rows.speed < 0.25))
    place = rows.at[kept] // width
    bins, index = np.unique(place, return_inverse=True)
    n = np.bincount(index, minlength=bins.size).astype(float)
    k = np.bincount(index, weights=fail[kept], minlength=bins.size).astype(float)
    return BinnedRuns((bins * width).astype(np.int64), k, n, width)


def ooni_cusum(rows: Rows, cadence_ms: int) -> Guess:
    """OONI's event detector: the hourly median, a two-sided CUSUM with h = 3.5 and drift 0.35, in plain units."""
    del cadence_ms
    series = binned(rows, HOUR_MS)
    x = (series.share > 0.5).astype(float)
    up = mean = 0.0
    for i, value in enumerate(x.tolist()):
        up = max(0.0, up + value - mean - 0.35)
        if up > 3.5:
            return Guess(int(series.start[i]))
        mean += (value - mean) / (i + 1)
    return Guess(None)


def _first_rise(series: BinnedRuns, ends: list[int]) -> Guess:
    """The first segment whose share of failures is JUMP above the one before."""
    edges = [0, *ends]
    means = [float(series.k[a:b].sum() / series.n[a:b].sum()) for a, b in itertools.pairwise(edges) if b > a]
    for i in range(1, len(means)):
        if means[i] - means[i - 1] > JUMP:
            return Guess(int(series.start[edges[i]]))
    return Guess(None)


def _penalty(series: BinnedRuns) -> float:
    """BIC's, for a mean that shifts, from the noise between neighbours."""
    noise = float(np.median(np.abs(np.diff(series.share)))) / 0.954 if series.share.size > 1 else 0.0
    return 3 * max(noise, 0.1) ** 2 * float(np.log(max(series.share.size, 2)))


def pelt(rows: Rows, cadence_ms: int) -> Guess:
    """PELT (Killick and others, 2012) from ruptures, least squares, BIC penalty.

    `KernelCPD` with a linear kernel is the same cost and search, compiled.
    """
    import ruptures  # noqa: PLC0415 - a development tool, needed for the benchmark alone

    series = binned(rows, cadence_ms)
    if series.n.size < 10:
        return Guess(None)
    fitted = ruptures.KernelCPD(kernel="linear", min_size=3).fit(series.share.reshape(-1, 1))
    return _first_rise(series, fitted.predict(pen=_penalty(series)))


def binseg(rows: Rows, cadence_ms: int) -> Guess:
    """Binary segmentation from ruptures, with the same cost and penalty."""
    import ruptures  # noqa: PLC0415

    series = binned(rows, cadence_ms)
    if series.n.size < 10:
        return Guess(None)
    fitted = ruptures.Binseg(model="l2", min_size=3, jump=1).fit(series.share.reshape(-1, 1))
    return _first_rise(series, fitted.predict(pen=_penalty(series)))


def hmm(rows: Rows, cadence_ms: int) -> Guess:
    """A hidden Markov model with two states, failing at 3 % and 90 %, a change expected once in the window."""
    series = binned(rows, cadence_ms)
    if series.n.size < 2:
        return Guess(None)
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
    both = forward * backward
    p = both[:, 1] / both.sum(axis=1)
    if not (p > 0.5).any():
        return Guess(None)
    first = int(np.flatnonzero(p > 0.5)[0])
    low = first
    while low > 0 and p[low - 1] > 0.025:
        low -= 1
    high = first
    while high < p.size - 1 and p[high] < 0.975:
        high += 1
    before = int(series.start[low - 1]) if low else int(series.start[0])
    return Guess(int(series.start[first]), before, int(series.start[high]) + series.width)


RIVALS: dict[str, Callable[[Rows, int], Guess]] = {
    "OONI CUSUM": ooni_cusum,
    "PELT": pelt,
    "Binseg": binseg,
    "two-state HMM": hmm,
}

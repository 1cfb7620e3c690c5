"""The times at which a change is supposed: an even coarse grid over the window, denser where the rows suggest one.

The likelihood changes only at row times, so a boundary at a row's time loses nothing. How many boundaries there are
is bounded, whatever the number of rows.
"""

from __future__ import annotations

import numpy as np

from aggregator.inference.model.counts import LineCounts, OutcomeRuns
from aggregator.inference.model.likelihood import Floats, Ints

COARSE = 32
POOLED_SEGMENTS = 2
NEAR = 9
STEPS_AWAY = (2, 4, 8, 16)
CLOSEST = 8
"""On the coarse grid, boundaries are at least this part of a cadence apart."""
FINE = 160
NEGLIGIBLE = 1e-3
"""Cells that together hold less than this share of the mass are not divided."""
WORTH = 2.0
"""The least excess of failures, in runs, that makes a stretch worth a denser grid."""


def worst_stretches(runs: OutcomeRuns, count: int, threshold: float | None = None) -> list[tuple[int, int]]:
    """Up to `count` disjoint stretches [first, last] of rows where failures most exceed what is usual.

    The stretch with the greatest sum of (failed - threshold). The threshold lies between the overall rate and 1 unless
    it is given; at the overall rate itself it finds a weak change.
    """
    if threshold is None:
        threshold = 0.25 + 0.6 * runs.rate()
    score: Floats = np.diff(runs.first) * (runs.fail - threshold)
    found = []
    for _ in range(count):
        total = np.concatenate((np.zeros(1), np.cumsum(score)))
        excess = total[1:] - np.minimum.accumulate(total[:-1])
        last = int(excess.argmax()) if excess.size else 0
        if not excess.size or excess[last] < WORTH:
            break
        first = int(total[: last + 1].argmin())
        found.append((int(runs.first[first]), int(runs.first[last + 1]) - 1))
        score[first : last + 1] = -1e9
    return found


def _around(summary: LineCounts, t: int) -> list[int]:
    """Boundaries near a supposed change: row times within a cadence and a half, then further and further away."""
    c = summary.cadence_ms
    low, high = np.searchsorted(summary.pooled, [t - 3 * c // 2, t + 3 * c // 2])
    picked = np.unique(np.linspace(low, max(low, high - 1), NEAR).round().astype(np.int64))
    near = summary.pooled[picked[picked < summary.pooled.size]]
    return [t, *near.tolist(), *(t + sign * step * c for step in STEPS_AWAY for sign in (-1, 1))]


def coarse(summary: LineCounts) -> Ints:
    """Boundaries for the whole window: sorted distinct times; the first is the first row's."""
    times, runs = summary.pooled, summary.pooled_runs
    first, last = int(times[0]), int(times[-1])
    points = np.linspace(first, last, COARSE).round().astype(np.int64).tolist()
    for start, stop in {*worst_stretches(runs, POOLED_SEGMENTS), *worst_stretches(runs, 1, runs.rate())}:
        points += _around(summary, int(times[start])) + _around(summary, int(times[stop]) + 1)
    if len(summary.times) > 1:
        for own, mine in zip(summary.times, summary.runs, strict=True):
            for start, stop in {*worst_stretches(mine, 1), *worst_stretches(mine, 1, mine.rate())}:
                points += [int(own[max(0, start - 1)]), int(own[start]), int(own[stop]) + 1]
                points.append(int(own[min(own.size - 1, stop + 1)]))
    return _thinned(np.array([p for p in points if first < p <= last], np.int64), first, summary.cadence_ms // CLOSEST)


def _thinned(points: Ints, first: int, apart: int) -> Ints:
    """`first` and the points, sorted, without those that follow another within `apart`."""
    kept = [first]
    for point in np.unique(points).tolist():
        if point - kept[-1] > apart:
            kept.append(point)
    return np.array(kept, np.int64)


def between(summary: LineCounts, low: int, high: int, ends: tuple[int, int]) -> Ints:
    """Boundaries for one episode that lies between two times, its supposed ends among them."""
    points = [low, high, *_around(summary, ends[0]), *_around(summary, ends[1])]
    kept = np.unique(np.array([*points, *np.linspace(low, high, COARSE // 2).round().tolist()], np.int64))
    first, last = max(low, int(summary.pooled[0])), min(high, int(summary.pooled[-1]))
    return kept[(kept >= first) & (kept <= last)]


def fine(summary: LineCounts, b: Ints, mass: Floats, last: int) -> Ints:
    """The boundaries `b`, with the cells that hold nearly all the mass divided at the rows in them.

    Cell i is (b_i-1, b_i]; a mass with one more cell than `b` has that up to `last`. About 2 * FINE boundaries at most.
    """
    edges = np.concatenate((b, [last])) if mass.size > b.size else b
    order = np.argsort(-mass[1:], kind="stable")
    total = np.cumsum(mass[1:][order])
    if total.size == 0 or total[-1] <= 0:
        return b
    heavy = order[: int(np.searchsorted(total, (1 - NEGLIGIBLE) * total[-1])) + 1]
    low, high = (np.searchsorted(summary.pooled, ends[heavy], "right") for ends in (edges[:-1], edges[1:]))
    rows = np.unique(np.concatenate([summary.pooled[a:b] for a, b in zip(low, high, strict=True)]))
    if rows.size > FINE:
        rows = rows[np.linspace(0, rows.size - 1, FINE).round().astype(np.int64)]
    share = np.maximum(1, np.rint(FINE / 2 * mass[1:] / total[-1])).astype(np.int64)
    even = [np.linspace(edges[i], edges[i + 1], share[i] + 1)[1:-1] for i in heavy.tolist()]
    points = np.unique(np.concatenate((edges, rows, np.rint(np.concatenate(even)).astype(np.int64))))
    kept: Ints = points[(points >= summary.pooled[0]) & (points <= summary.pooled[-1])]
    return kept

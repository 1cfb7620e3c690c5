"""The grid of candidate times of a change: an even coarse grid over the window, denser where the rows suggest a change.

The likelihood changes only at row times, so a boundary at a row's time loses nothing. The number of boundaries is
bounded, whatever the number of rows. Times are ms since the epoch.
"""

from __future__ import annotations

import numpy as np

from aggregator.inference.model.counts import LineCounts, OutcomeStretches
from aggregator.inference.model.likelihood import Floats, Ints

COARSE = 32
"""Even boundaries over the window."""
POOLED_STRETCHES = 2
"""Stretches of failures of all series together that are given a denser grid."""
NEAR = 9
"""Row times taken as boundaries around each end of such a stretch, within a cadence and a half."""
STEPS_AWAY = (2, 4, 8, 16)
"""Further boundaries around it, in cadences, on both sides."""
CLOSEST = 8
"""On the coarse grid, boundaries are more than a cadence divided by this apart."""
FINE = 160
"""Row times that are boundaries of a fine grid, at most."""
NEGLIGIBLE = 1e-3
"""Cells that together hold less than this share of the mass are not divided."""
LEAST_EXCESS = 2.0
"""The least excess of failures, in runs, for which a stretch is given a denser grid."""


def worst_stretches(outcomes: OutcomeStretches, count: int, threshold: float | None = None) -> list[tuple[int, int]]:
    """Up to `count` disjoint stretches [first, last] of row positions with the greatest excess of failures.

    The excess is the sum over the rows of (failed - threshold); each stretch is a maximum-sum segment. By default the
    threshold lies between the overall failure rate and 1; at the overall rate itself, weak changes are found too.
    """
    if threshold is None:
        threshold = 0.25 + 0.6 * outcomes.rate()
    score: Floats = np.diff(outcomes.first) * (outcomes.fail - threshold)
    stretches = []
    for _ in range(count):
        total = np.concatenate((np.zeros(1), np.cumsum(score)))
        excess = total[1:] - np.minimum.accumulate(total[:-1])
        last = int(excess.argmax()) if excess.size else 0
        if not excess.size or excess[last] < LEAST_EXCESS:
            break
        first = int(total[: last + 1].argmin())
        stretches.append((int(outcomes.first[first]), int(outcomes.first[last + 1]) - 1))
        score[first : last + 1] = -1e9
    return stretches


def _around(counts: LineCounts, t: int) -> list[int]:
    """Boundaries around a supposed change at `t`: `t`, row times nearby (NEAR), and times at STEPS_AWAY."""
    c = counts.cadence_ms
    low, high = np.searchsorted(counts.all_times, [t - 3 * c // 2, t + 3 * c // 2])
    picked = np.unique(np.linspace(low, max(low, high - 1), NEAR).round().astype(np.int64))
    near = counts.all_times[picked[picked < counts.all_times.size]]
    return [t, *near.tolist(), *(t + sign * step * c for step in STEPS_AWAY for sign in (-1, 1))]


def coarse(counts: LineCounts) -> Ints:
    """Boundaries for the whole window: sorted, distinct; the first is the first row's time."""
    times, outcomes = counts.all_times, counts.all_outcomes
    first, last = int(times[0]), int(times[-1])
    points = np.linspace(first, last, COARSE).round().astype(np.int64).tolist()
    for start, stop in {
        *worst_stretches(outcomes, POOLED_STRETCHES),
        *worst_stretches(outcomes, 1, outcomes.rate()),
    }:
        points += _around(counts, int(times[start])) + _around(counts, int(times[stop]) + 1)
    if len(counts.times) > 1:
        for own_times, own in zip(counts.times, counts.outcomes, strict=True):
            for start, stop in {*worst_stretches(own, 1), *worst_stretches(own, 1, own.rate())}:
                points += [int(own_times[max(0, start - 1)]), int(own_times[start]), int(own_times[stop]) + 1]
                points.append(int(own_times[min(own_times.size - 1, stop + 1)]))
    return _thinned(np.array([p for p in points if first < p <= last], np.int64), first, counts.cadence_ms // CLOSEST)


def _thinned(points: Ints, first: int, distance: int) -> Ints:
    """`first` and the points, sorted, without those within `distance` of the one kept before."""
    kept = [first]
    for point in np.unique(points).tolist():
        if point - kept[-1] > distance:
            kept.append(point)
    return np.array(kept, np.int64)


def between(counts: LineCounts, low: int, high: int, ends: tuple[int, int]) -> Ints:
    """Boundaries for one episode that lies between the times `low` and `high`, denser around its supposed `ends`."""
    points = [low, high, *_around(counts, ends[0]), *_around(counts, ends[1])]
    kept = np.unique(np.array([*points, *np.linspace(low, high, COARSE // 2).round().tolist()], np.int64))
    first, last = max(low, int(counts.all_times[0])), min(high, int(counts.all_times[-1]))
    return kept[(kept >= first) & (kept <= last)]


def fine(counts: LineCounts, b: Ints, mass: Floats, last: int) -> Ints:
    """The boundaries `b`, with the cells that hold nearly all the mass divided at the rows in them.

    `mass[i]` belongs to cell i, (b_i-1, b_i]; if there is one more mass than boundaries, its cell ends at `last`.
    Returns about 2 * FINE boundaries at most.
    """
    edges = np.concatenate((b, [last])) if mass.size > b.size else b
    order = np.argsort(-mass[1:], kind="stable")
    total = np.cumsum(mass[1:][order])
    if total.size == 0 or total[-1] <= 0:
        return b
    heavy = order[: int(np.searchsorted(total, (1 - NEGLIGIBLE) * total[-1])) + 1]
    low, high = (np.searchsorted(counts.all_times, ends[heavy], "right") for ends in (edges[:-1], edges[1:]))
    rows = np.unique(np.concatenate([counts.all_times[i:j] for i, j in zip(low, high, strict=True)]))
    if rows.size > FINE:
        rows = rows[np.linspace(0, rows.size - 1, FINE).round().astype(np.int64)]
    pieces = np.maximum(1, np.rint(FINE / 2 * mass[1:] / total[-1])).astype(np.int64)
    even = [np.linspace(edges[i], edges[i + 1], pieces[i] + 1)[1:-1] for i in heavy.tolist()]
    points = np.unique(np.concatenate((edges, rows, np.rint(np.concatenate(even)).astype(np.int64))))
    kept: Ints = points[(points >= counts.all_times[0]) & (points <= counts.all_times[-1])]
    return kept

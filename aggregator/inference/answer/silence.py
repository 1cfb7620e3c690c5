"""Silences: all probes of a provider stop reporting together. Evidence neither for nor against a block."""

from __future__ import annotations

import numpy as np

from aggregator.inference.model.likelihood import Ints
from aggregator.inference.rows.rows import Rows
from probe.base import times

LONG = 5
"""A gap of this many cadences in all of a provider's rows is a silence."""
TOGETHER = 2
"""The probes that reported within this many cadences before a silence are taken to have stopped together."""
MOST = 3
"""Silences reported, at most: the longest."""
DAY_MS = 86_400_000


def silences(rows: Rows, cadence_ms: int, end_ms: int | None) -> list[str]:
    """A sentence for each silence before which two or more probes had just reported; times in ms.

    `end_ms`: the end of the window; without it a silence that lasts to the end is not reported. Silences at the same
    time of day, a day or two apart, come from machines that are off at night, and are left out.
    """
    order = np.argsort(rows.at, kind="stable")
    at = rows.at[order]
    names, probe = rows.probes
    probe = probe[order]
    if at.size < 2 or len(names) < 2:
        return []
    edges: Ints = np.append(at, end_ms if end_ms is not None and end_ms > at[-1] else at[-1])
    gaps = np.flatnonzero(np.diff(edges) > LONG * cadence_ms)
    sentences = []
    for i in gaps[np.argsort(-np.diff(edges)[gaps], kind="stable")].tolist():
        start, stop = int(edges[i]), int(edges[i + 1])
        before = np.unique(probe[(at > start - TOGETHER * cadence_ms) & (at <= start)]).size
        if before < 2 or _nightly(edges, gaps, i):
            continue
        lasting = i == at.size - 1
        until = f"since {times.text(start)}" if lasting else f"between {times.text(start)} and {times.text(stop)}"
        sentences.append(f"silence: {before} probes that had just reported were silent together {until}")
    return sentences[:MOST]


def _nightly(edges: Ints, gaps: Ints, i: int) -> bool:
    """Whether another gap covers over half of gap `i` shifted by a day or two, back or forth."""
    for days in (-2, -1, 1, 2):
        start, stop = edges[i] + days * DAY_MS, edges[i + 1] + days * DAY_MS
        shared = np.minimum(edges[gaps + 1], stop) - np.maximum(edges[gaps], start)
        if (shared > (stop - start) / 2).any():
            return True
    return False

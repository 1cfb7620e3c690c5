"""Silence: probes that stop reporting together. Never "ok", never a block: a signal of its own."""

from __future__ import annotations

import numpy as np

from aggregator.inference.model.likelihood import Ints
from aggregator.inference.rows.rows import Rows
from probe.base import times

LONG = 5
"""A gap of this many cadences in all of a provider's rows is a silence."""
TOGETHER = 2
"""Probes that reported within this many cadences before it fell silent together."""
MOST = 3
"""Silences told, the longest."""
DAY_MS = 86_400_000


def silences(rows: Rows, cadence_ms: int, end_ms: int | None) -> list[str]:
    """Sentences about the times at which all probes were silent, two or more having reported just before.

    Silences at the same hour as another, a day or two apart, are probes that sleep at night, and are left out.
    """
    order = np.argsort(rows.at, kind="stable")
    at = rows.at[order]
    names, probe = rows.probes
    probe = probe[order]
    if at.size < 2 or len(names) < 2:
        return []
    edges: Ints = np.append(at, end_ms if end_ms is not None and end_ms > at[-1] else at[-1])
    gaps = np.flatnonzero(np.diff(edges) > LONG * cadence_ms)
    told = []
    for i in gaps[np.argsort(-np.diff(edges)[gaps], kind="stable")].tolist():
        start, stop = int(edges[i]), int(edges[i + 1])
        before = np.unique(probe[(at > start - TOGETHER * cadence_ms) & (at <= start)]).size
        if before < 2 or _nightly(edges, gaps, i):
            continue
        lasting = i == at.size - 1
        until = f"since {times.text(start)}" if lasting else f"between {times.text(start)} and {times.text(stop)}"
        told.append(f"silence: {before} probes that had just reported were silent together {until}")
    return told[:MOST]


def _nightly(edges: Ints, gaps: Ints, i: int) -> bool:
    """Whether another gap lies a day or two before or after this one."""
    for days in (-2, -1, 1, 2):
        start, stop = edges[i] + days * DAY_MS, edges[i + 1] + days * DAY_MS
        shared = np.minimum(edges[gaps + 1], stop) - np.maximum(edges[gaps], start)
        if (shared > (stop - start) / 2).any():
            return True
    return False

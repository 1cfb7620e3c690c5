"""How many providers had complied, over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from aggregator.inference.answer.compliance import probability_by
from aggregator.inference.model.likelihood import Floats
from aggregator.inference.rows.parameters import DateSpan
from probe.base import times

if TYPE_CHECKING:
    from aggregator.inference.onset import Analysis

POINTS = 300
"""Times of a curve, at most."""
BAND = 0.95


def curves(found: Sequence[Analysis], spans: Sequence[DateSpan]) -> list[dict[str, object]]:
    """For each watch and surface, the share of measured providers with an onset by t, and its band.

    Providers weigh equally; those with too little to say are counted as unmeasured.
    """
    keys = sorted({(a.answer.watch, a.answer.surface) for a in found})
    return [_curve(*key, [a for a in found if (a.answer.watch, a.answer.surface) == key], spans) for key in keys]


def _curve(watch: str, surface: str, all_: list[Analysis], spans: Sequence[DateSpan]) -> dict[str, object]:
    measured = [a for a in all_ if a.answer.state != "insufficient"]
    points = _times(measured, spans)
    p = np.array([[probability_by(a.found[0] if a.found else None, a.p_block, t)[0] for t in points] for a in measured])
    rows = []
    for i, t in enumerate(points):
        low, high = _band(p[:, i])
        rows.append({"at": times.text(t), "share": round(float(p[:, i].mean()), 4), "low": low, "high": high})
    unmeasured = len(all_) - len(measured)
    return {"watch": watch, "surface": surface, "measured": len(measured), "unmeasured": unmeasured, "curve": rows}


def _times(measured: list[Analysis], spans: Sequence[DateSpan]) -> list[int]:
    quantiles = [
        a.found[0].onset.quantile(q) for a in measured if a.found for q in (0.001, 0.025, 0.25, 0.5, 0.75, 0.975, 0.999)
    ]
    points = sorted({q for q in quantiles if q is not None} | {t for d in spans for t in (d.earliest_ms, d.latest_ms)})
    if len(points) > POINTS:
        points = [points[i] for i in np.linspace(0, len(points) - 1, POINTS).round().astype(int).tolist()]
    return points


def _band(p: Floats) -> tuple[float, float]:
    """The central BAND of the share, from the distribution of a sum of independent yes-or-no's with chances p."""
    chances = np.array([1.0])
    for one in p.tolist():
        chances = np.convolve(chances, (1 - one, one))
    total = np.cumsum(chances)
    low, high = np.searchsorted(total, [(1 - BAND) / 2, (1 + BAND) / 2])
    return round(float(low) / p.size, 4), round(min(float(high), p.size) / p.size, 4)

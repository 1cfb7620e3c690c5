"""The share of providers that had complied, over time."""

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
"""Probability of the band around the share."""


def curves(analyses: Sequence[Analysis], dates: Sequence[DateSpan]) -> list[dict[str, object]]:
    """For each watch and surface, the share of measured providers with an onset by each time, and its band.

    The times are quantiles of the onsets and the ends of `dates`. Providers weigh equally; those whose answer is
    `insufficient` are counted as unmeasured.
    """
    keys = sorted({(a.answer.watch, a.answer.surface) for a in analyses})
    return [_curve(*key, [a for a in analyses if (a.answer.watch, a.answer.surface) == key], dates) for key in keys]


def _curve(watch: str, surface: str, analyses: list[Analysis], dates: Sequence[DateSpan]) -> dict[str, object]:
    measured = [a for a in analyses if a.answer.state != "insufficient"]
    points = _times(measured, dates)
    firsts = [(a.episodes[0] if a.episodes else None, a.p_block) for a in measured]
    p = np.array([[probability_by(first, p_block, t)[0] for t in points] for first, p_block in firsts])
    rows = []
    for i, t in enumerate(points):
        low, high = _band(p[:, i])
        rows.append({"at": times.text(t), "share": round(float(p[:, i].mean()), 4), "low": low, "high": high})
    unmeasured = len(analyses) - len(measured)
    return {"watch": watch, "surface": surface, "measured": len(measured), "unmeasured": unmeasured, "curve": rows}


def _times(measured: list[Analysis], dates: Sequence[DateSpan]) -> list[int]:
    """At most POINTS times, ms: quantiles of the first onsets, and the ends of the dates."""
    quantiles = [
        a.episodes[0].onset.quantile(q)
        for a in measured
        if a.episodes
        for q in (0.001, 0.025, 0.25, 0.5, 0.75, 0.975, 0.999)
    ]
    points = sorted({q for q in quantiles if q is not None} | {t for d in dates for t in (d.earliest_ms, d.latest_ms)})
    if len(points) > POINTS:
        points = [points[i] for i in np.linspace(0, len(points) - 1, POINTS).round().astype(int).tolist()]
    return points


def _band(p: Floats) -> tuple[float, float]:
    """The central interval of probability BAND of the share of providers that complied.

    `p`: each provider's probability. Their number has a Poisson binomial distribution, here computed by convolution.
    """
    distribution = np.array([1.0])
    for chance in p.tolist():
        distribution = np.convolve(distribution, (1 - chance, chance))
    low, high = np.searchsorted(np.cumsum(distribution), [(1 - BAND) / 2, (1 + BAND) / 2])
    return round(float(low) / p.size, 4), round(min(float(high), p.size) / p.size, 4)

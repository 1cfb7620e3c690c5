"""Compliance: was it done by the order's dates, under each reading of them; and how many providers had, over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from aggregator.inference.answer.answer import DateSpan, Parameters, State
from aggregator.inference.model.likelihood import Floats
from aggregator.inference.model.locate import Found
from probe.base import times

if TYPE_CHECKING:
    from aggregator.inference.onset import Analysis
    from probe.protocol.watch import Watch

POINTS = 300
"""Times of a curve, at most."""
BAND = 0.95


def dates(watch: Watch) -> tuple[DateSpan, ...]:
    """A directive's dates as spans of ms."""
    return tuple(DateSpan(d.kind, d.value, *(times.milliseconds(t) for t in d.span())) for d in watch.directive.dates)


def _chance(found: Found | None, p_block: float, by: int) -> tuple[float, float]:
    """Least and greatest probability that there was an onset by a time. They differ before the first row."""
    if found is None:
        return (0.0, p_block)
    low, high = found.onset.by(by)
    return p_block * low, p_block * high


def compliance(found: Found | None, p_block: float, state: State, parameters: Parameters) -> dict[str, object] | None:
    """P(onset by each date) under each reading, and the lag from the order in seconds as a range.

    None without dates, or where nothing can be said. A day-precise date has two readings: before the day begins, and
    by its end. `p_at_most` differs from `p` where the onset may lie before the first row.
    """
    spans = parameters.dates
    if not spans and parameters.order_ms is not None:
        spans = (DateSpan("issued", "", *parameters.order_ms),)
    if not spans or state == "insufficient":
        return None
    order = next((d for d in spans if d.kind == "issued"), None)
    return {
        "dates": [_readings(d, found, p_block) for d in spans],
        "lag_s": _lag(found, order, parameters.level) if found and order else None,
        "p_never": round(1 - p_block, 4),
    }


def _readings(date: DateSpan, found: Found | None, p_block: float) -> dict[str, object]:
    readings = []
    for by in sorted({date.earliest_ms, date.latest_ms}):
        low, high = _chance(found, p_block, by)
        readings.append({"by": times.text(by), "p": round(low, 4), "p_at_most": round(high, 4)})
    return {"kind": date.kind, "value": date.value, "readings": readings}


def _lag(found: Found, order: DateSpan, level: float) -> dict[str, object]:
    """The interval of the onset less the order's: each end against the far end of the other."""
    low, middle, high = (found.onset.quantile(q) for q in ((1 - level) / 2, 0.5, (1 + level) / 2))
    return {
        "earliest": None if low is None else (low - order.latest_ms) / 1000,
        "estimate": None if middle is None else [(middle - e) / 1000 for e in (order.latest_ms, order.earliest_ms)],
        "latest": None if high is None else (high - order.earliest_ms) / 1000,
    }


def curves(found: Sequence[Analysis], spans: Sequence[DateSpan]) -> list[dict[str, object]]:
    """For each watch and surface, the share of measured providers with an onset by t, and its band.

    Providers weigh equally; those with too little to say are counted as unmeasured.
    """
    keys = sorted({(a.answer.watch, a.answer.surface) for a in found})
    return [_curve(*key, [a for a in found if (a.answer.watch, a.answer.surface) == key], spans) for key in keys]


def _curve(watch: str, surface: str, all_: list[Analysis], spans: Sequence[DateSpan]) -> dict[str, object]:
    measured = [a for a in all_ if a.answer.state != "insufficient"]
    points = _times(measured, spans)
    p = np.array([[_chance(a.found[0] if a.found else None, a.p_block, t)[0] for t in points] for a in measured])
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

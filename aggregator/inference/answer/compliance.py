"""Compliance: was it done by the order's dates, under each reading of them; and how many providers had, over time."""

from __future__ import annotations

from aggregator.inference.answer.answer import State
from aggregator.inference.model.locate import Located
from aggregator.inference.rows.parameters import DateSpan, Parameters
from probe.base import times


def _chance(found: Located | None, p_block: float, by: int) -> tuple[float, float]:
    """Least and greatest probability that there was an onset by a time. They differ before the first row."""
    if found is None:
        return (0.0, p_block)
    low, high = found.onset.by(by)
    return p_block * low, p_block * high


def compliance(found: Located | None, p_block: float, state: State, parameters: Parameters) -> dict[str, object] | None:
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


def _readings(date: DateSpan, found: Located | None, p_block: float) -> dict[str, object]:
    readings = []
    for by in sorted({date.earliest_ms, date.latest_ms}):
        low, high = _chance(found, p_block, by)
        readings.append({"by": times.text(by), "p": round(low, 4), "p_at_most": round(high, 4)})
    return {"kind": date.kind, "value": date.value, "readings": readings}


def _lag(found: Located, order: DateSpan, level: float) -> dict[str, object]:
    """The interval of the onset less the order's: each end against the far end of the other."""
    low, middle, high = (found.onset.quantile(q) for q in ((1 - level) / 2, 0.5, (1 + level) / 2))
    return {
        "earliest": None if low is None else (low - order.latest_ms) / 1000,
        "estimate": None if middle is None else [(middle - e) / 1000 for e in (order.latest_ms, order.earliest_ms)],
        "latest": None if high is None else (high - order.earliest_ms) / 1000,
    }

"""An onset compared with the order's dates: the probability that it came by each, and the lag from the order."""

from __future__ import annotations

from aggregator.inference.answer.answer import Compliance, DateCompliance, DateReading, LagRange, State
from aggregator.inference.model.locate import Located
from aggregator.inference.rows.parameters import DateSpan, Parameters
from probe.base import times


def assess(found: Located | None, p_block: float, state: State, parameters: Parameters) -> Compliance | None:
    """The compliance of an answer whose first block is `found`; None without dates, or where nothing can be said."""
    dates = parameters.dates
    if not dates and parameters.order_ms is not None:
        dates = (DateSpan("issued", "", *parameters.order_ms),)
    if not dates or state == "insufficient":
        return None
    order = next((d for d in dates if d.kind == "issued"), None)
    return Compliance(
        dates=tuple(_date(d, found, p_block) for d in dates),
        lag_s=_posterior_lag(found, order, parameters.level) if found and order else None,
        p_never=round(1 - p_block, 4),
    )


def probability_by(found: Located | None, p_block: float, by_ms: int) -> tuple[float, float]:
    """The least and the greatest probability that there was an onset by a time.

    They differ only before the first row, where the posterior does not say when an earlier onset was.
    """
    if found is None:
        return (0.0, p_block)
    low, high = found.onset.by(by_ms)
    return p_block * low, p_block * high


def lag(earliest_ms: int | None, estimate_ms: int | None, latest_ms: int | None, order: DateSpan) -> LagRange:
    """The lag from an order to an onset with this interval, each end against the far end of the order's date."""

    def seconds(start_ms: int, end_ms: int | None) -> float | None:
        return None if end_ms is None else (end_ms - start_ms) / 1000

    late, early = seconds(order.latest_ms, estimate_ms), seconds(order.earliest_ms, estimate_ms)
    return LagRange(
        earliest=seconds(order.latest_ms, earliest_ms),
        estimate=None if late is None or early is None else (late, early),
        latest=seconds(order.earliest_ms, latest_ms),
    )


def _posterior_lag(found: Located, order: DateSpan, level: float) -> LagRange:
    """The lag to the posterior's own interval, which is not widened for wrong clocks as `Answer.onset` is."""
    low, middle, high = (found.onset.quantile(q) for q in ((1 - level) / 2, 0.5, (1 + level) / 2))
    return lag(low, middle, high, order)


def _date(date: DateSpan, found: Located | None, p_block: float) -> DateCompliance:
    readings = []
    for by in sorted({date.earliest_ms, date.latest_ms}):
        low, high = probability_by(found, p_block, by)
        readings.append(DateReading(by=times.text(by), p=round(low, 4), p_at_most=round(high, 4)))
    return DateCompliance(kind=date.kind, value=date.value, readings=tuple(readings))

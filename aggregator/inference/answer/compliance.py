"""An onset compared with the order's dates: the probability that it came by each, and the lag from the order."""

from __future__ import annotations

from aggregator.inference.answer.answer import Compliance, DateCompliance, DateReading, Interval, LagRange, State
from aggregator.inference.model.locate import Located
from aggregator.inference.rows.parameters import DateSpan, Parameters
from probe.base import times


def assess(
    found: Located | None, onset: Interval | None, p_block: float, state: State, parameters: Parameters
) -> Compliance | None:
    """The compliance of an answer whose first block is `found`, published as `onset`.

    None without dates, or where nothing can be said.
    """
    dates = parameters.dates
    if not dates and parameters.order_ms is not None:
        dates = (DateSpan("issued", "", *parameters.order_ms),)
    if not dates or state == "insufficient":
        return None
    order = next((d for d in dates if d.kind == "issued"), None)
    return Compliance(
        dates=tuple(_date(d, found, p_block) for d in dates),
        lag_s=lag(onset, order) if onset and order else None,
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


def lag(onset: Interval, order: DateSpan) -> LagRange:
    """The lag from an order to a published onset, each end against the far end of the order's date."""

    def seconds(start_ms: int, end: str) -> float:
        return (times.milliseconds(times.moment(end)) - start_ms) / 1000

    return LagRange(
        earliest=None if onset.earliest is None else seconds(order.latest_ms, onset.earliest),
        estimate=None
        if onset.estimate is None
        else (seconds(order.latest_ms, onset.estimate), seconds(order.earliest_ms, onset.estimate)),
        latest=seconds(order.earliest_ms, onset.latest),
    )


def _date(date: DateSpan, found: Located | None, p_block: float) -> DateCompliance:
    readings = []
    for by in sorted({date.earliest_ms, date.latest_ms}):
        low, high = probability_by(found, p_block, by)
        readings.append(DateReading(by=times.text(by), p=round(low, 4), p_at_most=round(high, 4)))
    return DateCompliance(kind=date.kind, value=date.value, readings=tuple(readings))

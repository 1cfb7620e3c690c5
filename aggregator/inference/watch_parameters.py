"""The inference parameters that a watch defines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.inference.rows.parameters import DateSpan, Parameters
from probe.base import times

if TYPE_CHECKING:
    from probe.protocol.watch import DirectiveDate, Watch


def directive_dates(watch: Watch) -> tuple[DateSpan, ...]:
    """A directive's dates as spans of ms."""
    return tuple(date_span(d) for d in watch.directive.dates)


def date_span(date: DirectiveDate) -> DateSpan:
    """One date of a directive as a span of ms."""
    return DateSpan(date.kind, date.value, *(times.milliseconds(t) for t in date.span()))


def of_watch(watch: Watch) -> Parameters:
    """The parameters of the answers about this watch."""
    issued = watch.directive.date("issued")
    order = issued.span() if issued else None
    return Parameters(
        cadence_s=watch.cadence_s,
        lag_s=watch.dns_lag_s,
        order_ms=(times.milliseconds(order[0]), times.milliseconds(order[1])) if order else None,
        dates=directive_dates(watch),
        timezone=watch.timezone,
    )

"""What the charts share: the time axis, the order's dates, intervals as bands, and readable labels.

The charts are pure functions of the API's answers. Nothing in them depends on colour alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import altair as alt

from dashboard import times
from dashboard.palette import Palette
from dashboard.shapes import IntervalView, WatchView
from dashboard.texts import text

Row = dict[str, Any]
"""The fields of one mark of a chart, as Vega-Lite reads them."""

ROW_PX = 36
FRAME_PX = 84
"""Height of the labels above the rows and the axis with its two lines below."""
MARGIN = {"top": 40, "left": 0, "right": 8, "bottom": 0}
_MINUTE, _DAY = 60_000, 86_400_000
_TICK_FORMATS = ((15 * _MINUTE, "%H:%M:%S"), (_DAY, "%H:%M"), (5 * _DAY, "%-d %b %H:%M"))


class Axis:
    """The time axis of a chart: from `start` to `end` (ms since the epoch), ticks in UTC and below in local time."""

    def __init__(self, start: int, end: int, zone: dt.tzinfo, palette: Palette) -> None:
        self.start, self.end, self.palette = start, end, palette
        offset = times.offset(zone, dt.datetime.fromtimestamp(start / 1000, dt.UTC))
        self._offset_ms = offset // dt.timedelta(milliseconds=1)

    @property
    def tick_format(self) -> str:
        """The ticks' format for d3, as fine as the span needs."""
        return next((tick_format for span, tick_format in _TICK_FORMATS if self.end - self.start <= span), "%-d %b")

    def x(self, field: str) -> alt.X:
        """The encoding of a time field.

        The domain is written as expressions: Vega-Lite turns a bare number into `datetime(number)`, which the
        interpreter that Streamlit uses does not read as milliseconds.
        """
        domain = [alt.ExprRef(str(self.start)), alt.ExprRef(str(self.end))]
        two_clocks = self._offset_ms and "%H" in self.tick_format
        utc = f"utcFormat(datum.value, '{self.tick_format}')"
        local = f"utcFormat(time(datum.value) + {self._offset_ms}, '{self.tick_format}')"
        return alt.X(
            f"{field}:T",
            scale=alt.Scale(type="utc", domain=domain, nice=False),
            axis=alt.Axis(
                title=None,
                labelExpr=f"[{utc}, {local}]" if two_clocks else utc,
                labelColor=self.palette.soft,
                labelFontSize=12,
                labelOverlap=True,
                tickCount=7,
                grid=True,
                gridOpacity=0.3,
            ),
        )

    def y(self, labels: Sequence[str]) -> alt.Y:
        """The encoding of a chart's rows, in their order."""
        return alt.Y(
            "label:N",
            sort=list(labels),
            scale=alt.Scale(domain=list(labels), padding=0.3),
            axis=alt.Axis(
                title=None,
                ticks=False,
                domain=False,
                grid=True,
                gridOpacity=0.3,
                labelLimit=118,
                labelPadding=8,
                labelFontSize=13,
                labelColor=self.palette.ink,
            ),
        )

    def late(self, at: int) -> bool:
        """Whether a label at this time must be on its left side to stay inside the chart."""
        return at - self.start > 0.45 * (self.end - self.start)

    def shows(self, at: int) -> bool:
        """Whether a time is inside the domain."""
        return self.start <= at <= self.end


def plot(rows: Sequence[Mapping[str, Any]]) -> alt.Chart:
    """A chart whose specification contains its data."""
    return alt.Chart(alt.Data(values=list(rows)))  # type: ignore[no-untyped-call]


def labels(chart: alt.Chart, palette: Palette, align: Literal["left", "right"], **mark: Any) -> list[alt.Chart]:
    """The field `text` next to a position, with an outline in the background's colour that covers lines below it."""
    position = {"align": align, "dx": 7 if align == "left" else -7, "fontSize": 12, **mark}
    label = chart.encode(text=alt.Text("text:N"))
    outline = label.mark_text(**position, strokeWidth=4, strokeJoin="round").encode(
        color=alt.ColorValue(palette.ground), stroke=alt.StrokeValue(palette.ground)
    )
    return [outline, label.mark_text(**position)]


def date_layers(watch: WatchView, axis: Axis) -> list[alt.Chart]:
    """The dates of the order with their names above: a rule for an instant, a band for a day. Others are left out."""
    ink, layers = axis.palette.ink, []
    for date in watch.directive.dates:
        is_day = date.precision == "day"
        at = times.ms(date.earliest if is_day or date.kind == "issued" else date.limit)
        if not axis.shows(at):
            continue
        row = {"at": at, "to": min(times.ms(date.latest), axis.end), "text": text("date", date.kind)}
        chart = plot([row]).encode(x=axis.x("at"))
        if is_day:
            layers.append(chart.mark_rect(opacity=0.13, color=ink).encode(x2="to:T"))
        else:
            layers.append(chart.mark_rule(color=ink, strokeWidth=1.5, strokeDash=_dash(date.kind)))
        layers += _name(chart, axis, at, ink, -6, leftwards=date.kind == "issued")
    return layers


def band_layers(name: Literal["onset", "lift"], interval: IntervalView, axis: Axis) -> list[alt.Chart]:
    """An interval as a band over the whole height, its estimate as a rule, and its name above."""
    start = times.ms(interval.earliest) if interval.earliest else axis.start
    end, at = times.ms(interval.latest), times.ms(interval.estimate or interval.latest)
    if end < axis.start or start > axis.end:
        return []
    colour = axis.palette.stop if name == "onset" else axis.palette.ok
    row = {"from": max(start, axis.start), "to": min(end, axis.end), "at": at, "text": text("chart", name)}
    chart = plot([row])
    layers = [chart.mark_rect(opacity=0.2, color=colour).encode(x=axis.x("from"), x2="to:T")]
    if axis.shows(at):
        layers.append(chart.mark_rule(color=colour, strokeWidth=2).encode(x=axis.x("at")))
        layers += _name(chart.encode(x=axis.x("at")), axis, at, colour, -22, leftwards=axis.late(at))
    return layers


def _name(chart: alt.Chart, axis: Axis, at: int, colour: str, above: int, *, leftwards: bool) -> list[alt.Chart]:
    """A name above the chart, on the left or right side of its time. The order's is on the left, others on the right,
    so that they don't overlap.
    """
    height = alt.YValue(above)  # type: ignore[no-untyped-call]
    placed = chart.encode(y=height, color=alt.ColorValue(colour))
    near_end = at - axis.start > 0.8 * (axis.end - axis.start)
    align: Literal["left", "right"] = "right" if leftwards or near_end else "left"
    return labels(placed, axis.palette, align, baseline="bottom", fontWeight="bold")


def _dash(kind: str) -> list[int]:
    return [1, 0] if kind == "issued" else [6, 4]

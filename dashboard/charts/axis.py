"""What the charts share: the time axis, the order's dates, intervals as bands, text that stays readable.

The charts are pure functions from what the API says. Nothing in them is told by colour alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import altair as alt

from dashboard import texts, times
from dashboard.palette import Palette

Row = dict[str, Any]

ROW_PX = 36
FRAME_PX = 84
"""Height of what surrounds the rows: the labels above, and the axis with its two lines."""
MARGIN = {"top": 40, "left": 0, "right": 8, "bottom": 0}
_MINUTE, _DAY = 60_000, 86_400_000
_FINEST = ((15 * _MINUTE, "%H:%M:%S"), (_DAY, "%H:%M"), (5 * _DAY, "%-d %b %H:%M"))


class Axis:
    """The time axis of a chart: a domain in milliseconds, ticks in UTC with the country's time below."""

    def __init__(self, start: int, end: int, zone: dt.tzinfo, palette: Palette) -> None:
        self.start, self.end, self.palette = start, end, palette
        ahead = times.offset(zone, dt.datetime.fromtimestamp(start / 1000, dt.UTC))
        self._ahead_ms = ahead // dt.timedelta(milliseconds=1)

    @property
    def form(self) -> str:
        """d3's format for ticks: as fine as the span needs."""
        return next((form for span, form in _FINEST if self.end - self.start <= span), "%-d %b")

    def x(self, field: str) -> alt.X:
        """The encoding of a time field.

        The domain is written as expressions: Vega-Lite turns a bare number into `datetime(number)`, which the
        interpreter that Streamlit uses does not read as milliseconds.
        """
        domain = [alt.ExprRef(str(self.start)), alt.ExprRef(str(self.end))]
        two_clocks = self._ahead_ms and "%H" in self.form
        utc = f"utcFormat(datum.value, '{self.form}')"
        local = f"utcFormat(time(datum.value) + {self._ahead_ms}, '{self.form}')"
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
        """Whether text at this time must run to the left, to stay inside."""
        return at - self.start > 0.45 * (self.end - self.start)

    def shows(self, at: int) -> bool:
        """Whether a time is inside."""
        return self.start <= at <= self.end


def plot(rows: Sequence[Mapping[str, Any]]) -> alt.Chart:
    """A chart over rows that stand in its text."""
    return alt.Chart(alt.Data(values=list(rows)))  # type: ignore[no-untyped-call]


def written(of: alt.Chart, palette: Palette, align: Literal["left", "right"], **mark: Any) -> list[alt.Chart]:
    """The field `text` beside a place, over a rim in the ground's colour, so that lines below don't cross it."""
    place = {"align": align, "dx": 7 if align == "left" else -7, "fontSize": 12, **mark}
    words = of.encode(text=alt.Text("text:N"))
    rim = words.mark_text(**place, strokeWidth=4, strokeJoin="round").encode(
        color=alt.ColorValue(palette.ground), stroke=alt.StrokeValue(palette.ground)
    )
    return [rim, words.mark_text(**place)]


def date_layers(watch: Row, axis: Axis) -> list[alt.Chart]:
    """The dates of the order, named above: a rule for an instant, a band for a day. Those outside are left out."""
    ink, layers = axis.palette.ink, []
    for date in watch["directive"]["dates"]:
        day = date["precision"] == "day"
        at = times.ms(date["earliest"] if day or date["kind"] == "issued" else date["limit"])
        if not axis.shows(at):
            continue
        row = {"at": at, "to": min(times.ms(date["latest"]), axis.end), "text": texts.DATE[date["kind"]]}
        of = plot([row]).encode(x=axis.x("at"))
        if day:
            layers.append(of.mark_rect(opacity=0.13, color=ink).encode(x2="to:T"))
        else:
            layers.append(of.mark_rule(color=ink, strokeWidth=1.5, strokeDash=_dash(date["kind"])))
        layers += _name(of, axis, at, ink, -6, leftwards=date["kind"] == "issued")
    return layers


def band_layers(name: str, interval: Row, axis: Axis) -> list[alt.Chart]:
    """An interval as a band over the whole height, its estimate as a rule, and its name above."""
    start = times.ms(interval["earliest"]) if interval["earliest"] else axis.start
    end, at = times.ms(interval["latest"]), times.ms(interval["estimate"] or interval["latest"])
    if end < axis.start or start > axis.end:
        return []
    colour = axis.palette.stop if name == texts.ONSET else axis.palette.ok
    of = plot([{"from": max(start, axis.start), "to": min(end, axis.end), "at": at, "text": name}])
    layers = [of.mark_rect(opacity=0.2, color=colour).encode(x=axis.x("from"), x2="to:T")]
    if axis.shows(at):
        layers.append(of.mark_rule(color=colour, strokeWidth=2).encode(x=axis.x("at")))
        layers += _name(of.encode(x=axis.x("at")), axis, at, colour, -22, leftwards=axis.late(at))
    return layers


def _name(of: alt.Chart, axis: Axis, at: int, colour: str, above: int, *, leftwards: bool) -> list[alt.Chart]:
    """A name above the chart. The order's runs to the left and the deadline's to the right, so as not to meet."""
    height = alt.YValue(above)  # type: ignore[no-untyped-call]
    placed = of.encode(y=height, color=alt.ColorValue(colour))
    near_end = at - axis.start > 0.8 * (axis.end - axis.start)
    align: Literal["left", "right"] = "right" if leftwards or near_end else "left"
    return written(placed, axis.palette, align, baseline="bottom", fontWeight="bold")


def _dash(kind: str) -> list[int]:
    return [1, 0] if kind == "issued" else [6, 4]

"""The provider page's chart: how each probe's runs ended, with the onset's interval over them."""

from __future__ import annotations

import altair as alt

from dashboard import texts, times
from dashboard.charts.axis import FRAME_PX, MARGIN, ROW_PX, Axis, Row, band_layers, date_layers, plot
from dashboard.palette import Palette

SHAPES = {"ok": "circle", "blocked": "square", "down": "triangle-down", "inconclusive": "diamond"}
_LEGEND_PX = 34


def points(series: Row) -> list[Row]:
    """The runs of a series as points; of bins, one point each with the outcome that most of its runs had."""
    found = [
        {
            "at": times.ms(run["at"]),
            "time": run["at"],
            "label": run["label"],
            "outcome": texts.OUTCOME[run["verdict"]],
            "method": run["method"] or texts.NONE,
            "seen": run["evidence"],
        }
        for run in series["items"]
    ]
    half = round(500 * (series["bin_s"] or 0))
    for one in series["bins"]:
        counts = [f"{one[k]} {word}" for k, word in texts.OUTCOME.items() if one[k]]
        most = max(texts.OUTCOME, key=one.__getitem__)
        found.append(
            {
                "at": times.ms(one["start"]) + half,
                "time": one["start"],
                "label": one["label"],
                "outcome": texts.OUTCOME[most],
                "method": texts.NONE,
                "seen": ", ".join(counts),
            }
        )
    return found


def strip(series: Row, entry: Row, watch: Row, window: tuple[int, int], palette: Palette) -> alt.LayerChart:
    """The chart over a window in milliseconds: rows are probes, shape and colour are outcomes."""
    axis = Axis(*window, times.zone(watch), palette)
    answer = entry["surfaces"].get(series["surface"]) or {}
    labels = [p["label"] for p in series["probes"]]
    intervals = {texts.ONSET: answer.get("onset"), texts.LIFT: answer.get("lift")}
    bands = [layer for name, i in intervals.items() if i for layer in band_layers(name, i, axis)]
    names, colours = list(texts.OUTCOME.values()), palette.outcomes()
    marks = (
        plot(points(series))
        .mark_point(filled=True, opacity=0.9, size=60)
        .encode(
            x=axis.x("at"),
            y=axis.y(labels),
            color=alt.Color(
                "outcome:N",
                scale=alt.Scale(domain=names, range=[colours[k] for k in texts.OUTCOME]),
                legend=alt.Legend(
                    title=None, orient="bottom", symbolSize=80, labelFontSize=12, labelColor=palette.ink, columns=2
                ),
            ),
            shape=alt.Shape("outcome:N", scale=alt.Scale(domain=names, range=[SHAPES[k] for k in texts.OUTCOME])),
            tooltip=[alt.Tooltip(f"{k}:N", title=title) for k, title in texts.TIPS.items()],
        )
    )
    height = ROW_PX * len(labels) + FRAME_PX + 2 * _LEGEND_PX
    return alt.LayerChart(layer=[*bands, *date_layers(watch, axis), marks], height=height, padding=MARGIN)

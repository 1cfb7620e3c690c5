"""The provider page's chart: the outcomes of each probe's runs, with the onset's interval over them."""

from __future__ import annotations

import altair as alt

from dashboard import times
from dashboard.charts.axis import FRAME_PX, MARGIN, ROW_PX, Axis, Row, band_layers, date_layers, plot
from dashboard.palette import Palette
from dashboard.shapes import EntryView, SeriesView, WatchView
from dashboard.texts import text, words

SHAPES = {"ok": "circle", "blocked": "square", "down": "triangle-down", "inconclusive": "diamond"}
_LEGEND_PX = 34


def points(series: SeriesView) -> list[Row]:
    """The runs of a series as points. A bin is one point, with the outcome of most of its runs."""
    outcomes, none = words("outcome"), text("general", "none")
    rows = [
        {
            "at": times.ms(run.at),
            "time": run.at,
            "label": run.label,
            "outcome": outcomes[run.verdict],
            "method": run.method or none,
            "evidence": run.evidence,
        }
        for run in series.items
    ]
    half_bin_ms = round(500 * (series.bin_s or 0))
    for bin_ in series.bins:
        counts = bin_.counts()
        most_frequent = max(outcomes, key=counts.__getitem__)
        rows.append(
            {
                "at": times.ms(bin_.start) + half_bin_ms,
                "time": bin_.start,
                "label": bin_.label,
                "outcome": outcomes[most_frequent],
                "method": none,
                "evidence": ", ".join(f"{counts[k]} {word}" for k, word in outcomes.items() if counts[k]),
            }
        )
    return rows


def strip(
    series: SeriesView, entry: EntryView, watch: WatchView, window: tuple[int, int], palette: Palette
) -> alt.LayerChart:
    """The chart over a period (ms since the epoch): one row per probe, shape and colour show the outcome."""
    axis = Axis(*window, times.zone(watch), palette)
    answer = entry.surfaces.get(series.surface)
    labels = [p.label for p in series.probes]
    bands = []
    if answer and answer.onset:
        bands += band_layers("onset", answer.onset, axis)
    if answer and answer.lift:
        bands += band_layers("lift", answer.lift, axis)
    outcomes, colours = words("outcome"), palette.outcomes()
    names = list(outcomes.values())
    marks = (
        plot(points(series))
        .mark_point(filled=True, opacity=0.9, size=60)
        .encode(
            x=axis.x("at"),
            y=axis.y(labels),
            color=alt.Color(
                "outcome:N",
                scale=alt.Scale(domain=names, range=[colours[k] for k in outcomes]),
                legend=alt.Legend(
                    title=None, orient="bottom", symbolSize=80, labelFontSize=12, labelColor=palette.ink, columns=2
                ),
            ),
            shape=alt.Shape("outcome:N", scale=alt.Scale(domain=names, range=[SHAPES[k] for k in outcomes])),
            tooltip=[alt.Tooltip(f"{k}:N", title=title) for k, title in words("run_tooltip").items()],
        )
    )
    height = ROW_PX * len(labels) + FRAME_PX + 2 * _LEGEND_PX
    return alt.LayerChart(layer=[*bands, *date_layers(watch, axis), marks], height=height, padding=MARGIN)

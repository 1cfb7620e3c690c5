"""The overview's chart: each provider's onset interval against the dates of the order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import altair as alt

from dashboard import texts, times
from dashboard.charts.axis import FRAME_PX, MARGIN, ROW_PX, Axis, Row, date_layers, plot, written
from dashboard.palette import Palette

_BAR_PX, _SPAN_PX = 18, 4


def domain(onsets: Row, watch: Row) -> tuple[int, int]:
    """From the first to the last event worth seeing, with room at both ends; the present only where it is near."""
    answers = [e["answer"] for e in onsets["providers"] if e["answer"]]
    intervals = [i for a in answers for i in (a["onset"], a["lift"]) if i]
    events = [times.ms(t) for i in intervals for t in (i["earliest"], i["latest"]) if t]
    events += [times.ms(d[k]) for d in watch["directive"]["dates"] for k in ("earliest", "limit")]
    known = times.ms(onsets["as_of"]) if onsets["as_of"] else None
    least = round(20_000 * watch["cadence_s"])
    if not events:
        end = known or times.ms(dt.datetime.now(dt.UTC).isoformat())
        return end - 3 * least, end
    first, last = min(events), max(*events, min(events) + least)
    if known and last < known <= last + (last - first) // 4:
        last = known
    return first - (last - first) // 12, last + (last - first) // 8


def rows(onsets: Row, axis: Axis) -> list[Row]:
    """One row per provider, ordered by onset: where its marks lie, and what is written beside them."""
    known = min(times.ms(onsets["as_of"]) if onsets["as_of"] else axis.end, axis.end)
    found = [_row(entry, known, axis) for entry in onsets["providers"]]
    names = [r["label"] for r in found]
    for row in found:
        if names.count(row["label"]) > 1:
            row["label"] = f"{row['label']} ({row['access']})"
    return sorted(found, key=lambda r: (r["order"], r["label"]))


def timeline(onsets: Row, watch: Row, palette: Palette) -> alt.LayerChart:
    """The chart. A row's shape says its state: dot, ring, diamond or open bar; the rest is written out."""
    axis = Axis(*domain(onsets, watch), times.zone(watch), palette)
    found = rows(onsets, axis)
    y = axis.y([r["label"] for r in found])

    def of(*kinds: str) -> alt.Chart:
        return _base([r for r in found if r["kind"] in kinds], y)

    lifted = _base([r for r in found if "lift" in r], y)
    lasting = _base([r for r in found if r.get("lasts")], y)
    layers = [
        *date_layers(watch, axis),
        of("onset", "open").mark_bar(height=_SPAN_PX, opacity=0.75).encode(x=axis.x("at"), x2="until:T"),
        of("suspected").mark_rule(strokeDash=[2, 4], strokeWidth=2).encode(x=axis.x("at"), x2="until:T"),
        lasting.mark_point(shape="triangle-right", filled=True, size=70, opacity=1).encode(x=axis.x("until")),
        of("onset", "suspected").mark_bar(height=_BAR_PX, opacity=0.35).encode(x=axis.x("from"), x2="to:T"),
        of("open")
        .mark_bar(height=_BAR_PX, fillOpacity=0, strokeWidth=1.5, strokeDash=[4, 3])
        .encode(x=axis.x("from"), x2="to:T", stroke=alt.Stroke("colour:N", scale=None)),
        of("onset").mark_point(shape="circle", filled=True, size=90, opacity=1).encode(x=axis.x("at")),
        of("suspected")
        .mark_point(shape="diamond", size=110, opacity=1, strokeWidth=2, fill=palette.ground)
        .encode(x=axis.x("at")),
        lifted.mark_bar(height=_BAR_PX, opacity=0.2).encode(x=axis.x("lift_from"), x2="lift_to:T"),
        lifted.mark_point(shape="circle", strokeWidth=2.5, fill=palette.ground, size=90, opacity=1).encode(
            x=axis.x("lift")
        ),
        *_texts(found, axis, y),
    ]
    return alt.LayerChart(layer=layers, height=ROW_PX * len(found) + FRAME_PX, padding=MARGIN)


def _row(entry: Row, known: int, axis: Axis) -> Row:
    answer = entry["answer"]
    state = answer["state"] if answer else "unmeasured"
    row = {
        "provider": entry["provider"],
        "label": entry["name"],
        "access": entry["access"],
        "said": texts.STATE[state],
        "colour": axis.palette.state(state),
        "text": texts.STATE_SAID[state],
        "order": axis.end + list(texts.STATE).index(state),
        "kind": "none",
        "x": axis.start,
        "tip": entry["sentence"],
    }
    return row | _marks(entry, state, known, axis) if answer and answer["onset"] else row


def _marks(entry: Row, state: str, known: int, axis: Axis) -> Row:
    """Where the marks of an onset lie, and of the lift where there is one."""
    onset, lift = entry["answer"]["onset"], entry["answer"]["lift"]
    before = onset["earliest"] is None
    at = times.ms(onset["estimate"] or onset["latest"])
    marks = {
        "kind": "open" if before else ("suspected" if state == "suspected" else "onset"),
        "order": axis.start if before else at,
        "at": at,
        "x": at,
        "from": axis.start if before else times.ms(onset["earliest"]),
        "to": times.ms(onset["latest"]),
        "until": max(at, known),
        "lasts": lift is None,
        "text": _beside(entry, state),
    }
    if lift:
        end = times.ms(lift["latest"])
        marks |= {"lift": times.ms(lift["estimate"] or lift["latest"]), "lift_to": end}
        marks |= {"lift_from": times.ms(lift["earliest"]) if lift["earliest"] else end, "until": marks["lift"]}
    return marks


def _beside(entry: Row, state: str) -> str:
    """What is written next to an onset: how long after the order; short enough for a narrow screen."""
    said, lag = texts.STATE[state], entry["lag"]["words"] if entry["lag"] else ""
    if not lag or state == "blocked_since_before_start":
        return said
    return f"{said}, {lag}" if state == "suspected" else texts.LAG.format(lag=lag)


def _base(found: Sequence[Row], y: alt.Y) -> alt.Chart:
    tip = [
        alt.Tooltip("label:N", title="Provider"),
        alt.Tooltip("said:N", title="State"),
        alt.Tooltip("tip:N", title=" "),
    ]
    return plot(found).encode(y=y, color=alt.Color("colour:N", scale=None), tooltip=tip)


def _texts(found: Sequence[Row], axis: Axis, y: alt.Y) -> list[alt.Chart]:
    """What is written in each row: above the onset, kept inside the chart; alone where nothing is drawn."""
    beside = [r for r in found if r["kind"] != "none"]
    alone = [r for r in found if r["kind"] == "none"]
    early, late = ([r for r in beside if axis.late(r["x"]) is side] for side in (False, True))

    def of(some: Sequence[Row]) -> alt.Chart:
        return _base(some, y).encode(x=axis.x("x"))

    return [
        *written(of(early), axis.palette, "left", dy=-11),
        *written(of(late), axis.palette, "right", dy=-11),
        *written(of(alone), axis.palette, "left", fontStyle="italic"),
    ]

"""The overview's chart: each provider's onset interval, with the dates of the order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import altair as alt

from dashboard import texts, times
from dashboard.charts.axis import FRAME_PX, MARGIN, ROW_PX, Axis, Row, date_layers, labels, plot
from dashboard.palette import Palette
from dashboard.shapes import AnswerView, EntryView, IntervalView, OnsetsView, WatchView
from dashboard.texts import text, words

_INTERVAL_PX, _DURATION_PX = 18, 4


def domain(onsets: OnsetsView, watch: WatchView) -> tuple[int, int]:
    """The time span of the chart, ms since the epoch: from the first to the last event, with a margin at both ends.

    The time until which measurements are known is included only if it is near the last event.
    """
    answers = [e.answer for e in onsets.providers if e.answer]
    intervals = [i for a in answers for i in (a.onset, a.lift) if i]
    events = [times.ms(t) for i in intervals for t in (i.earliest, i.latest) if t]
    events += [times.ms(t) for d in watch.directive.dates for t in (d.earliest, d.limit)]
    known_until = times.ms(onsets.as_of) if onsets.as_of else None
    shortest = round(20_000 * watch.cadence_s)
    if not events:
        end = known_until or times.ms(dt.datetime.now(dt.UTC).isoformat())
        return end - 3 * shortest, end
    first, last = min(events), max(*events, min(events) + shortest)
    if known_until and last < known_until <= last + (last - first) // 4:
        last = known_until
    return first - (last - first) // 12, last + (last - first) // 8


def rows(onsets: OnsetsView, axis: Axis) -> list[Row]:
    """One row per provider, ordered by onset: the positions of its marks, and its label."""
    known_until = min(times.ms(onsets.as_of) if onsets.as_of else axis.end, axis.end)
    made = [_row(entry, known_until, axis) for entry in onsets.providers]
    names = [r["label"] for r in made]
    for row in made:
        if names.count(row["label"]) > 1:
            row["label"] = f"{row['label']} ({row['access']})"
    return sorted(made, key=lambda r: (r["order"], r["label"]))


def timeline(onsets: OnsetsView, watch: WatchView, palette: Palette) -> alt.LayerChart:
    """The chart. The shape in a row shows the state: dot, ring, diamond or open bar; others have only a label."""
    axis = Axis(*domain(onsets, watch), times.zone(watch), palette)
    all_rows = rows(onsets, axis)
    y = axis.y([r["label"] for r in all_rows])

    def of(*kinds: str) -> alt.Chart:
        return _base([r for r in all_rows if r["kind"] in kinds], y)

    lifted = _base([r for r in all_rows if "lift" in r], y)
    lasting = _base([r for r in all_rows if r.get("lasts")], y)
    layers = [
        *date_layers(watch, axis),
        of("onset", "open").mark_bar(height=_DURATION_PX, opacity=0.75).encode(x=axis.x("at"), x2="until:T"),
        of("suspected").mark_rule(strokeDash=[2, 4], strokeWidth=2).encode(x=axis.x("at"), x2="until:T"),
        lasting.mark_point(shape="triangle-right", filled=True, size=70, opacity=1).encode(x=axis.x("until")),
        of("onset", "suspected").mark_bar(height=_INTERVAL_PX, opacity=0.35).encode(x=axis.x("from"), x2="to:T"),
        of("open")
        .mark_bar(height=_INTERVAL_PX, fillOpacity=0, strokeWidth=1.5, strokeDash=[4, 3])
        .encode(x=axis.x("from"), x2="to:T", stroke=alt.Stroke("colour:N", scale=None)),
        of("onset").mark_point(shape="circle", filled=True, size=90, opacity=1).encode(x=axis.x("at")),
        of("suspected")
        .mark_point(shape="diamond", size=110, opacity=1, strokeWidth=2, fill=palette.ground)
        .encode(x=axis.x("at")),
        lifted.mark_bar(height=_INTERVAL_PX, opacity=0.2).encode(x=axis.x("lift_from"), x2="lift_to:T"),
        lifted.mark_point(shape="circle", strokeWidth=2.5, fill=palette.ground, size=90, opacity=1).encode(
            x=axis.x("lift")
        ),
        *_labels(all_rows, axis, y),
    ]
    return alt.LayerChart(layer=layers, height=ROW_PX * len(all_rows) + FRAME_PX, padding=MARGIN)


def _row(entry: EntryView, known_until: int, axis: Axis) -> Row:
    answer = entry.answer
    state = answer.state if answer else "unmeasured"
    row = {
        "provider": entry.provider,
        "label": entry.name,
        "access": entry.access,
        "state": text("state", state),
        "colour": axis.palette.state(state),
        "text": texts.state(state),
        "order": axis.end + list(words("state")).index(state),
        "kind": "none",
        "x": axis.start,
        "sentence": entry.sentence,
    }
    return row | _marks(entry, answer, answer.onset, known_until, axis) if answer and answer.onset else row


def _marks(entry: EntryView, answer: AnswerView, onset: IntervalView, known_until: int, axis: Axis) -> Row:
    """The positions of the marks of an onset, and of the lift if there is one."""
    lift = answer.lift
    is_open = onset.earliest is None
    at = times.ms(onset.estimate or onset.latest)
    earliest = times.ms(onset.earliest) if onset.earliest else axis.start
    marks = {
        "kind": "open" if is_open else ("suspected" if answer.state == "suspected" else "onset"),
        "order": axis.start if is_open else at,
        "at": at,
        "x": at,
        "from": earliest,
        "to": times.ms(onset.latest),
        "until": max(at, known_until),
        "lasts": lift is None,
        "text": _label(entry, answer.state),
    }
    if lift:
        end = times.ms(lift.latest)
        marks |= {"lift": times.ms(lift.estimate or lift.latest), "lift_to": end}
        marks |= {"lift_from": times.ms(lift.earliest) if lift.earliest else end, "until": marks["lift"]}
    return marks


def _label(entry: EntryView, state: str) -> str:
    """The label of an onset: how long after the order it was; short enough for a narrow screen."""
    name, lag = text("state", state), entry.lag_words
    if not lag or state == "blocked_since_before_start":
        return name
    return (
        text("chart", "suspected_lag", state=name, lag=lag) if state == "suspected" else text("chart", "lag", lag=lag)
    )


def _base(of: Sequence[Row], y: alt.Y) -> alt.Chart:
    tooltip = [
        alt.Tooltip("label:N", title=text("chart", "provider")),
        alt.Tooltip("state:N", title=text("chart", "state")),
        alt.Tooltip("sentence:N", title=" "),
    ]
    return plot(of).encode(y=y, color=alt.Color("colour:N", scale=None), tooltip=tooltip)


def _labels(all_rows: Sequence[Row], axis: Axis, y: alt.Y) -> list[alt.Chart]:
    """The label of each row: above the onset and inside the chart, or the only thing in a row without an onset."""
    with_onset = [r for r in all_rows if r["kind"] != "none"]
    without_onset = [r for r in all_rows if r["kind"] == "none"]
    early, late = ([r for r in with_onset if axis.late(r["x"]) is side] for side in (False, True))

    def of(some: Sequence[Row]) -> alt.Chart:
        return _base(some, y).encode(x=axis.x("x"))

    return [
        *labels(of(early), axis.palette, "left", dy=-11),
        *labels(of(late), axis.palette, "right", dy=-11),
        *labels(of(without_onset), axis.palette, "left", fontStyle="italic"),
    ]

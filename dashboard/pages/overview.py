"""The overview: which providers have stopped, and when, compared with the order and its deadline."""

from __future__ import annotations

from html import escape

import streamlit as st

from dashboard import header, page, texts, times
from dashboard.charts import timeline
from dashboard.charts.axis import Axis
from dashboard.palette import Palette
from dashboard.shapes import EntryView, IntervalView, OnsetsView, WatchView
from dashboard.state import chosen_watch, link
from dashboard.tables import TableCell, TableRow, table
from dashboard.texts import text, words

_DEADLINE = {True: "before", False: "after", None: "unknown"}


def choose_watch() -> WatchView:
    """The watch to show, with a choice if there are several."""
    watches = page.watches()
    watch = chosen_watch(watches)
    titles = {w.id: w.title for w in watches}
    if len(titles) > 1:
        ids = list(titles)
        picked = st.selectbox(text("overview", "watch"), ids, index=ids.index(watch.id), format_func=titles.__getitem__)
        if picked != watch.id:
            st.query_params["watch"] = picked
            st.rerun()
    return watch


def rows(onsets: OnsetsView, watch: WatchView) -> list[TableRow]:
    """The table's rows, in the chart's order."""
    palette = page.colours()
    axis = Axis(*timeline.domain(onsets, watch), times.zone(watch), palette)
    position = {r["provider"]: n for n, r in enumerate(timeline.rows(onsets, axis))}
    return [_row(e, watch, palette) for e in sorted(onsets.providers, key=lambda e: position[e.provider])]


def _row(entry: EntryView, watch: WatchView, palette: Palette) -> TableRow:
    answer = entry.answer
    state = answer.state if answer else "unmeasured"
    cells = {
        "provider": TableCell(text=entry.name, href=link("provider", watch=watch.id, provider=entry.provider)),
        "access": TableCell(text=entry.access),
        "state": TableCell(text=texts.state(state), colour=palette.state(state)),
    }
    onset = answer.onset if answer else None
    data = {"provider": entry.provider, "state": state, "onset": (onset.estimate if onset else None) or ""}
    if answer is None:
        return TableRow(cells, data)
    cells |= {
        "surface": TableCell(text=entry.surface or ""),
        "method": TableCell(text=answer.method or text("general", "none"), style="code"),
        "p": TableCell(text=times.probability(answer.p_block)),
        "measurements": TableCell(text=f"{answer.measurements:,}"),
        "probes": TableCell(text=str(answer.probes)),
        "lines": TableCell(text=str(answer.lines)),
    }
    if onset:
        cells |= _onset(entry, onset, watch)
    return TableRow(cells, data)


def _onset(entry: EntryView, onset: IntervalView, watch: WatchView) -> dict[str, TableCell]:
    zone, width = times.zone(watch), times.width(onset)
    at = times.moment(onset.estimate or onset.latest)
    sign = "" if onset.estimate else "≤ "
    local = f"{times.clock(at.astimezone(zone), width)} {times.zone_name(zone, at)}"
    start, end = times.ends(onset)
    none = text("general", "none")
    return {
        "since": TableCell(text=f"{sign}{times.clock(at, width)}", below=local),
        "interval": TableCell(text=text("general", "interval", start=start, end=end) if start else f"≤ {end}"),
        "order": TableCell(text=entry.lag_words or none),
        "due": TableCell(text=text("deadline", _DEADLINE[entry.deadline.before]) if entry.deadline else none),
    }


def draw(watch: WatchView) -> None:
    """Draw the part that follows the measurements."""
    answer = page.api().onsets(watch.id)
    onsets = answer.value
    header.status(answer, onsets.as_of, watch)
    st.html(f'<p class="bo-headline">{escape(onsets.headline)}</p>')
    if onsets.as_of is None:
        cadence = times.duration(watch.cadence_s)
        page.notice(text("notice", "no_answer_yet"), text("notice", "no_answer_yet_why", cadence=cadence), "empty")
    else:
        alt = text("overview", "chart_alt", count=len(onsets.providers))
        page.chart(timeline.timeline, onsets, watch, key="timeline", alt=alt)
        st.html(f'<p class="bo-key">{escape(text("overview", "legend"))} {escape(_zone_note(watch, onsets.as_of))}</p>')
    kinds = {d.kind for d in watch.directive.dates}
    due = text("date", "report_by" if "report_by" in kinds and "block_by" not in kinds else "block_by")
    columns = words("overview_columns") | {"due": due.capitalize()}
    st.html(table(columns, rows(onsets, watch), watch.title))


def _zone_note(watch: WatchView, as_of: str) -> str:
    zone = times.zone_name(times.zone(watch), times.moment(as_of))
    return "" if zone == "UTC" else text("overview", "local_time", zone=zone)


watch = choose_watch()
header.order(watch)
page.live(watch, lambda: draw(watch))

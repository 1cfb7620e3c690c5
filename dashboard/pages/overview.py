"""The overview: who has stopped, since when, against the order and its deadline."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st

from dashboard import page as frame
from dashboard import texts as strings
from dashboard import times as clock
from dashboard.charts import axis as charts
from dashboard.charts import timeline
from dashboard.tables import Cell, Line, table


def choose() -> dict[str, Any]:
    """The watch to show, with a choice where there are several."""
    listed = frame.watches()
    watch = frame.chosen_watch(listed)
    titles = {w["id"]: w["title"] for w in listed}
    if len(titles) > 1:
        ids = list(titles)
        picked = st.selectbox(strings.WATCH, ids, index=ids.index(watch["id"]), format_func=titles.__getitem__)
        if picked != watch["id"]:
            st.query_params["watch"] = picked
            st.rerun()
    return watch


def rows(onsets: dict[str, Any], watch: dict[str, Any]) -> list[Line]:
    """The table's rows, in the chart's order."""
    palette = frame.colours()
    axis = charts.Axis(*timeline.domain(onsets, watch), clock.zone(watch), palette)
    place = {r["provider"]: n for n, r in enumerate(timeline.rows(onsets, axis))}
    return [_row(e, watch, palette) for e in sorted(onsets["providers"], key=lambda e: place[e["provider"]])]


def _row(entry: dict[str, Any], watch: dict[str, Any], palette: Any) -> Line:
    answer = entry["answer"]
    state = answer["state"] if answer else "unmeasured"
    cells = {
        "provider": Cell(
            text=entry["name"], href=frame.link("provider", watch=watch["id"], provider=entry["provider"])
        ),
        "access": Cell(text=entry["access"]),
        "state": Cell(text=strings.STATE_SAID[state], colour=palette.state(state)),
    }
    onset = answer["onset"] if answer else None
    data = {"provider": entry["provider"], "state": state, "onset": (onset or {}).get("estimate") or ""}
    if answer is None:
        return Line(cells, data)
    cells |= {
        "surface": Cell(text=entry["surface"]),
        "method": Cell(text=answer["method"] or strings.NONE, style="code"),
        "p": Cell(text=clock.chance(answer["p_block"])),
        "measurements": Cell(text=f"{answer['measurements']:,}"),
        "probes": Cell(text=str(answer["probes"])),
        "lines": Cell(text=str(answer["lines"])),
    }
    if onset:
        cells |= _onset(entry, onset, watch)
    return Line(cells, data)


def _onset(entry: dict[str, Any], onset: dict[str, Any], watch: dict[str, Any]) -> dict[str, Cell]:
    zone, wide = clock.zone(watch), clock.width(onset)
    at = clock.moment(onset["estimate"] or onset["latest"])
    sign = "" if onset["estimate"] else "≤ "
    there = f"{clock.clock(at.astimezone(zone), wide)} {clock.zone_name(zone, at)}"
    lag, due = entry["lag"], entry["deadline"]
    start, end = clock.ends(onset)
    return {
        "since": Cell(text=f"{sign}{clock.clock(at, wide)}", below=there),
        "interval": Cell(text=strings.SPAN.format(start=start, end=end) if start else f"≤ {end}"),
        "order": Cell(text=lag["words"] if lag else strings.NONE),
        "due": Cell(text=strings.SIDE[due["before"]] if due else strings.NONE),
    }


def live(watch: dict[str, Any]) -> None:
    """The part that follows the measurements."""
    reading = frame.client().onsets(watch["id"])
    onsets = reading.value
    frame.status(reading, onsets["as_of"], watch)
    st.html(f'<p class="bo-headline">{escape(onsets["headline"])}</p>')
    if onsets["as_of"] is None:
        cadence = frame.seconds(watch["cadence_s"])
        frame.notice(strings.NO_ANSWER_YET, strings.NO_ANSWER_YET_WHY.format(cadence=cadence), "empty")
    else:
        alt = strings.TIMELINE_ALT.format(n=len(onsets["providers"]))
        frame.chart(timeline.timeline, onsets, watch, key="timeline", alt=alt)
        st.html(f'<p class="bo-key">{escape(strings.KEY)} {escape(_zone_note(watch, onsets))}</p>')
    dated = {d["kind"] for d in watch["directive"]["dates"]}
    due = strings.DATE["report_by" if "report_by" in dated and "block_by" not in dated else "block_by"]
    columns = strings.COLUMNS | {"due": due.capitalize()}
    st.html(table(columns, rows(onsets, watch), watch["title"]))


def _zone_note(watch: dict[str, Any], onsets: dict[str, Any]) -> str:
    zone = clock.zone_name(clock.zone(watch), clock.moment(onsets["as_of"]))
    return "" if zone == "UTC" else strings.LOCAL.format(zone=zone)


watch = choose()
frame.head(watch)
frame.live(watch, lambda: live(watch))

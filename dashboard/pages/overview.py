"""The overview: who has stopped, since when, against the order and its deadline."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st

from dashboard import page, texts, times
from dashboard.charts import axis as charts
from dashboard.charts import timeline
from dashboard.tables import TableCell, TableRow, table


def choose() -> dict[str, Any]:
    """The watch to show, with a choice where there are several."""
    listed = page.watches()
    watch = page.chosen_watch(listed)
    titles = {w["id"]: w["title"] for w in listed}
    if len(titles) > 1:
        ids = list(titles)
        picked = st.selectbox(texts.WATCH, ids, index=ids.index(watch["id"]), format_func=titles.__getitem__)
        if picked != watch["id"]:
            st.query_params["watch"] = picked
            st.rerun()
    return watch


def rows(onsets: dict[str, Any], watch: dict[str, Any]) -> list[TableRow]:
    """The table's rows, in the chart's order."""
    palette = page.colours()
    axis = charts.Axis(*timeline.domain(onsets, watch), times.zone(watch), palette)
    place = {r["provider"]: n for n, r in enumerate(timeline.rows(onsets, axis))}
    return [_row(e, watch, palette) for e in sorted(onsets["providers"], key=lambda e: place[e["provider"]])]


def _row(entry: dict[str, Any], watch: dict[str, Any], palette: Any) -> TableRow:
    answer = entry["answer"]
    state = answer["state"] if answer else "unmeasured"
    cells = {
        "provider": TableCell(
            text=entry["name"], href=page.link("provider", watch=watch["id"], provider=entry["provider"])
        ),
        "access": TableCell(text=entry["access"]),
        "state": TableCell(text=texts.STATE_SAID[state], colour=palette.state(state)),
    }
    onset = answer["onset"] if answer else None
    data = {"provider": entry["provider"], "state": state, "onset": (onset or {}).get("estimate") or ""}
    if answer is None:
        return TableRow(cells, data)
    cells |= {
        "surface": TableCell(text=entry["surface"]),
        "method": TableCell(text=answer["method"] or texts.NONE, style="code"),
        "p": TableCell(text=times.chance(answer["p_block"])),
        "measurements": TableCell(text=f"{answer['measurements']:,}"),
        "probes": TableCell(text=str(answer["probes"])),
        "lines": TableCell(text=str(answer["lines"])),
    }
    if onset:
        cells |= _onset(entry, onset, watch)
    return TableRow(cells, data)


def _onset(entry: dict[str, Any], onset: dict[str, Any], watch: dict[str, Any]) -> dict[str, TableCell]:
    zone, wide = times.zone(watch), times.width(onset)
    at = times.moment(onset["estimate"] or onset["latest"])
    sign = "" if onset["estimate"] else "≤ "
    there = f"{times.clock(at.astimezone(zone), wide)} {times.zone_name(zone, at)}"
    lag, due = entry["lag"], entry["deadline"]
    start, end = times.ends(onset)
    return {
        "since": TableCell(text=f"{sign}{times.clock(at, wide)}", below=there),
        "interval": TableCell(text=texts.SPAN.format(start=start, end=end) if start else f"≤ {end}"),
        "order": TableCell(text=lag["words"] if lag else texts.NONE),
        "due": TableCell(text=texts.SIDE[due["before"]] if due else texts.NONE),
    }


def live(watch: dict[str, Any]) -> None:
    """The part that follows the measurements."""
    reading = page.client().onsets(watch["id"])
    onsets = reading.value
    page.status(reading, onsets["as_of"], watch)
    st.html(f'<p class="bo-headline">{escape(onsets["headline"])}</p>')
    if onsets["as_of"] is None:
        cadence = page.seconds(watch["cadence_s"])
        page.notice(texts.NO_ANSWER_YET, texts.NO_ANSWER_YET_WHY.format(cadence=cadence), "empty")
    else:
        alt = texts.TIMELINE_ALT.format(n=len(onsets["providers"]))
        page.chart(timeline.timeline, onsets, watch, key="timeline", alt=alt)
        st.html(f'<p class="bo-key">{escape(texts.KEY)} {escape(_zone_note(watch, onsets))}</p>')
    dated = {d["kind"] for d in watch["directive"]["dates"]}
    due = texts.DATE["report_by" if "report_by" in dated and "block_by" not in dated else "block_by"]
    columns = texts.COLUMNS | {"due": due.capitalize()}
    st.html(table(columns, rows(onsets, watch), watch["title"]))


def _zone_note(watch: dict[str, Any], onsets: dict[str, Any]) -> str:
    zone = times.zone_name(times.zone(watch), times.moment(onsets["as_of"]))
    return "" if zone == "UTC" else texts.LOCAL.format(zone=zone)


watch = choose()
page.head(watch)
page.live(watch, lambda: live(watch))

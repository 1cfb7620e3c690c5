"""The top of a page: the banner of a fictional watch, the order with its dates, and the status line."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from html import escape
from typing import Any

import streamlit as st

from dashboard import page, times
from dashboard.client import ApiAnswer
from dashboard.shapes import DateView, WatchView
from dashboard.texts import text

_SILENT_S, _SILENT_CADENCES = 30.0, 5
"""Without measurements for both of these periods a page isn't called live."""


def banner(watch: WatchView) -> None:
    """Show a banner if the watch is fictional."""
    if watch.fictional:
        name, why = escape(text("banner", "fictional")), escape(text("banner", "fictional_why"))
        st.html(f'<p class="bo-fictional"><b>{name}</b> {why}</p>')


def order(watch: WatchView) -> None:
    """Show the banner, the watch's title, and its order with the dates."""
    banner(watch)
    zone = times.zone(watch)
    dates = "".join(_date(d, zone) for d in watch.directive.dates)
    summary = escape(watch.directive.summary)
    st.html(
        f'<header class="bo-head"><p class="bo-kicker">{escape(watch.service)} · {escape(watch.country)}</p>'
        f"<h1>{escape(watch.title)}</h1><p class='bo-order'>{escape(watch.directive.authority)}. {summary}</p>"
        f"<dl class='bo-dates'>{dates}</dl></header>"
    )


def status(answer: ApiAnswer[Any], as_of: str | None, watch: WatchView) -> None:
    """Show whether the page is live, or why it isn't. `as_of` is when the newest measurement had been received."""
    problem = _why_not_live(answer, watch)
    if problem:
        st.html(f'<p class="bo-status bo-stale" role="status">■ {escape(problem)}</p>')
        return
    parts = [text("status", "live"), text("status", "cadence", cadence=times.duration(watch.cadence_s))]
    if as_of:
        parts.append(text("status", "known", at=f"{times.moment(as_of):%H:%M:%S}"))
    st.html(f'<p class="bo-status" role="status"><i></i>{escape(" · ".join(parts))}</p>')


def _why_not_live(answer: ApiAnswer[Any], watch: WatchView) -> str:
    """Why the page may be out of date: no API, an aggregator with a problem, or no measurements. "" if it is live."""
    if answer.stale:
        return text("status", "stale", at=f"{answer.at:%H:%M:%S}", why=answer.stale)
    health = page.api().health()
    if health is None:
        return ""
    if not health.ok:
        return text("status", "unwell", why=f"NATS {health.nats}")
    if not health.known_until_ms:
        return ""
    age_s = dt.datetime.now(dt.UTC).timestamp() - health.known_until_ms / 1000
    if age_s > max(_SILENT_S, _SILENT_CADENCES * watch.cadence_s):
        return text("status", "no_news", age=times.duration(round(age_s)))
    return ""


def _date(date: DateView, zone: zoneinfo.ZoneInfo) -> str:
    """One date of the order as HTML: a day in its own time zone, or an instant in UTC and in the country's time."""
    name, wording = text("date", date.kind), f"“{date.wording}”" if date.wording else ""
    at = times.moment(date.earliest)
    if date.precision == "day":
        day = dt.date.fromisoformat(date.value)
        written, local = f"{day:%-d %b %Y}", times.zone_name(zoneinfo.ZoneInfo(date.timezone), at)
    else:
        written = f"{times.clock(at, dt.timedelta(0))} UTC"
        local = f"{at.astimezone(zone):%H:%M:%S} {times.zone_name(zone, at)}"
    return (
        f"<div><dt>{escape(name)}</dt><dd>{escape(written)}<small>{escape(local)}</small>"
        f"<small>{escape(wording)}</small></dd></div>"
    )

"""What every page shares: the client, the style, the choice of a watch, and words for when things go wrong."""

from __future__ import annotations

import datetime as dt
import logging
import os
import zoneinfo
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from altair import LayerChart

from dashboard import palette, texts, times
from dashboard.client import ApiAnswer, ApiDown, Client, NotThere

log = logging.getLogger(__name__)

RETRY_S = 3.0
_FASTEST_S, _SLOWEST_S = 3.0, 60.0
_SILENT_S, _SILENT_CADENCES = 30.0, 5


@st.cache_resource
def client() -> Client:
    """The one client of this process."""
    return Client(os.environ["BLOCKONSET_API"])


def colours() -> palette.Palette:
    """The colours of the visitor's theme."""
    return palette.of(st.context.theme.type)


def style() -> None:
    """The style sheet, with the theme's colours as variables."""
    now = colours()
    names = {
        "ink": now.ink,
        "soft": now.soft,
        "stop": now.stop,
        "suspect": now.suspect,
        "ok": now.ok,
        "ground": now.ground,
    }
    variables = "".join(f"--bo-{name}:{value};" for name, value in names.items())
    sheet = Path(__file__).with_name("style.css").read_text("utf-8")
    st.html(f"<style>:root{{{variables}}}{sheet}</style>")


def guarded(page: Callable[[], None]) -> None:
    """Run a page or its live part; say in words what went wrong, and log what nobody expected."""
    try:
        page()
    except ApiDown as e:
        notice(texts.DOWN, texts.DOWN_WHY.format(why=e), "down")
    except NotThere as e:
        notice(texts.NOT_THERE, str(e), "down")
    except Exception:
        log.exception("the page failed")
        notice(texts.BROKEN, "", "down")


def live(watch: dict[str, Any], part: Callable[[], None]) -> None:
    """Draw a part of a page now, and again as often as its watch measures."""
    every = min(max(watch["cadence_s"], _FASTEST_S), _SLOWEST_S)
    st.fragment(run_every=every)(lambda: guarded(part))()


def watches() -> list[dict[str, Any]]:
    """All watches. While the API is down, says so, tries again by itself, and draws no more of the page."""
    try:
        return list(client().watches().value["items"])
    except ApiDown as e:
        why = str(e)

    @st.fragment(run_every=RETRY_S)
    def waiting() -> None:
        try:
            client().watches()
        except ApiDown:
            notice(texts.DOWN, texts.DOWN_WHY.format(why=why), "down")
        else:
            st.rerun()

    waiting()
    return st.stop()


def chosen_watch(listed: list[dict[str, Any]]) -> dict[str, Any]:
    """The watch that the address names, else the first. Raises NotThere."""
    found = {w["id"]: w for w in listed}
    if not found:
        notice(texts.NO_WATCH, texts.NO_WATCH_WHY.format(api=client().base), "empty")
        st.stop()
    asked = st.query_params.get("watch", next(iter(found)))
    if asked not in found:
        raise NotThere(f"{asked!r} is not among the watches here: {', '.join(found)}.")
    return found[asked]


def banner(watch: dict[str, Any]) -> None:
    """Says of a lab's country that it is one, where nobody can miss it."""
    if watch["fictional"]:
        st.html(f'<p class="bo-fictional"><b>{texts.FICTIONAL}</b> {escape(texts.FICTIONAL_WHY)}</p>')


def head(watch: dict[str, Any]) -> None:
    """The page's head: for a lab's country the banner first, then the watch, and its order with its dates."""
    banner(watch)
    zone = times.zone(watch)
    dates = "".join(_date(d, zone) for d in watch["directive"]["dates"])
    order = escape(watch["directive"]["summary"])
    st.html(
        f'<header class="bo-head"><p class="bo-kicker">{escape(watch["service"])} · {escape(watch["country"])}</p>'
        f"<h1>{escape(watch['title'])}</h1><p class='bo-order'>{escape(watch['directive']['authority'])}. {order}</p>"
        f"<dl class='bo-dates'>{dates}</dl></header>"
    )


def status(reading: ApiAnswer, known: str | None, watch: dict[str, Any]) -> None:
    """The strip that says whether this is live, or in which way it isn't."""
    problem = _not_live(reading, watch)
    if problem:
        st.html(f'<p class="bo-status bo-stale" role="status">■ {escape(problem)}</p>')
        return
    parts = [texts.LIVE, texts.EVERY.format(cadence=seconds(watch["cadence_s"]))]
    if known:
        parts.append(texts.KNOWN.format(at=f"{times.moment(known):%H:%M:%S}"))
    st.html(f'<p class="bo-status" role="status"><i></i>{escape(" · ".join(parts))}</p>')


def _not_live(reading: ApiAnswer, watch: dict[str, Any]) -> str:
    """Why what is shown may be old: the API is away, the aggregator unwell, or nothing arrives. "" when it is live."""
    if reading.stale:
        return texts.STALE.format(at=f"{reading.at:%H:%M:%S}", why=reading.stale)
    said = client().health()
    if said and not said.get("ok"):
        return texts.UNWELL.format(why=", ".join(f"{k} {said[k]}" for k in ("store", "nats") if k in said))
    last = said.get("known_until_ms")
    silence = (dt.datetime.now(dt.UTC).timestamp() - last / 1000) if last else 0.0
    if silence > max(_SILENT_S, _SILENT_CADENCES * watch["cadence_s"]):
        return texts.SILENT.format(age=seconds(round(silence)))
    return ""


def chart(build: Callable[..., LayerChart], *of: Any, key: str, alt: str) -> None:
    """Draw a chart of some data. Building one takes tenths of a second, so it is built once for the same data."""
    st.vega_lite_chart(_built(build, key, of, st.context.theme.type), key=key, alt=alt)


@st.cache_data(max_entries=64, show_spinner=False)
def _built(
    _build: Callable[..., LayerChart],
    kind: str,  # noqa: ARG001 - stands for `_build` in the cache's key
    of: tuple[Any, ...],
    theme: str | None,
) -> dict[str, Any]:
    return _build(*of, palette.of(theme)).to_dict(validate=False)  # the tests do, with every shape


def notice(title: str, text: str, kind: str) -> None:
    """A state of the page in words."""
    st.html(f'<div class="bo-notice bo-{kind}" role="status"><h2>{escape(title)}</h2><p>{escape(text)}</p></div>')


def pick(key: str, label: str, words: dict[str, str], default: str) -> str:
    """A choice that stands in the address under its own name, whatever language its words are in."""
    asked = st.query_params.get(key, default)
    start = asked if asked in words else default
    picked = st.segmented_control(
        label, list(words), default=start, required=True, format_func=words.__getitem__, key=key
    )
    if picked and picked != st.query_params.get(key):
        st.query_params[key] = picked
    return picked or start


def link(page: str, **query: str) -> str:
    """An address within the dashboard."""
    return f"{page}?{urlencode({k: v for k, v in query.items() if v})}"


def seconds(amount: float) -> str:
    """A short length of time for people."""
    return f"{amount:g} s" if amount < 120 else f"{amount / 60:.3g} min"


def _date(date: dict[str, Any], zone: Any) -> str:
    """One of the order's dates as it was written: to the day in its own zone, or as an instant in both clocks."""
    name, wording = texts.DATE[date["kind"]], f"“{date['wording']}”" if date["wording"] else ""
    at = times.moment(date["earliest"])
    if date["precision"] == "day":
        day = dt.date.fromisoformat(date["value"])
        said, there = f"{day:%-d %b %Y}", times.zone_name(zoneinfo.ZoneInfo(date["timezone"]), at)
    else:
        said = f"{times.clock(at, at - at)} UTC"
        there = f"{at.astimezone(zone):%H:%M:%S} {times.zone_name(zone, at)}"
    return (
        f"<div><dt>{escape(name)}</dt><dd>{escape(said)}<small>{escape(there)}</small>"
        f"<small>{escape(wording)}</small></dd></div>"
    )

"""What every page shares: the API's client, colours and style, live parts, charts, and notices when something fails."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from html import escape
from importlib import resources
from typing import Any

import msgspec
import streamlit as st
from altair import LayerChart

from dashboard import palette
from dashboard.client import ApiDown, Client, NotThere
from dashboard.shapes import WatchView
from dashboard.texts import text

log = logging.getLogger(__name__)

RETRY_S = 3.0
"""How often a page tries again while the API is down."""
_SHORTEST_REFRESH_S, _LONGEST_REFRESH_S = 3.0, 60.0


@st.cache_resource
def api() -> Client:
    """This process's client of the API."""
    return Client(os.environ["BLOCKONSET_DASHBOARD_API"])


def colours() -> palette.Palette:
    """The colours of the visitor's theme."""
    return palette.of(st.context.theme.type)


def style() -> None:
    """Add the style sheet, with the theme's colours as variables."""
    theme = colours()
    variables = "".join(
        f"--bo-{name}:{getattr(theme, name)};" for name in ("ink", "soft", "stop", "suspect", "ok", "ground")
    )
    sheet = resources.files(__package__).joinpath("style.css").read_text("utf-8")
    st.html(f"<style>:root{{{variables}}}{sheet}</style>")


def guarded(draw: Callable[[], None]) -> None:
    """Draw a page or its live part. Failures are shown as notices, and unexpected ones are logged."""
    try:
        draw()
    except ApiDown as e:
        notice(text("notice", "down"), text("notice", "down_why", why=e), "down")
    except NotThere as e:
        notice(text("notice", "not_found"), str(e), "down")
    except Exception:
        log.exception("the page failed")
        notice(text("notice", "failed"), text("notice", "failed_why"), "down")


def live(watch: WatchView, draw: Callable[[], None]) -> None:
    """Draw a part of a page now, and again about as often as the probes of its watch measure."""
    every_s = min(max(watch.cadence_s, _SHORTEST_REFRESH_S), _LONGEST_REFRESH_S)
    st.fragment(run_every=every_s)(lambda: guarded(draw))()


def watches() -> tuple[WatchView, ...]:
    """All watches. While the API is down, show a notice, try again regularly, and draw nothing else of the page."""
    try:
        return api().watches().value.items
    except ApiDown as e:
        why = str(e)

    @st.fragment(run_every=RETRY_S)
    def wait() -> None:
        try:
            api().watches()
        except ApiDown:
            notice(text("notice", "down"), text("notice", "down_why", why=why), "down")
        else:
            st.rerun()

    wait()
    return st.stop()


def notice(title: str, body: str, kind: str) -> None:
    """Show a notice. `kind` is `down` (something failed) or `empty` (there is nothing to show)."""
    st.html(f'<div class="bo-notice bo-{kind}" role="status"><h2>{escape(title)}</h2><p>{escape(body)}</p></div>')


def chart(build: Callable[..., LayerChart], *data: Any, key: str, alt: str) -> None:
    """Draw the chart `build(*data, palette)`. Building takes tenths of a second, so charts are cached by their data."""
    spec = _spec(build, data, key, msgspec.json.encode(data), st.context.theme.type)
    st.vega_lite_chart(spec, key=key, alt=alt)


@st.cache_data(max_entries=64, show_spinner=False)
def _spec(
    _build: Callable[..., LayerChart],
    _data: tuple[Any, ...],
    key: str,  # noqa: ARG001 - part of the cache's key, in place of `_build`
    encoded: bytes,  # noqa: ARG001 - part of the cache's key, in place of `_data`
    theme: str | None,
) -> dict[str, Any]:
    return _build(*_data, palette.of(theme)).to_dict(validate=False)  # the tests validate the charts

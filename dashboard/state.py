"""The state of a page that is in its address: the watch, the provider, the surface and the period."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

import streamlit as st

from dashboard import page
from dashboard.client import NotThere
from dashboard.shapes import WatchView
from dashboard.texts import text


def chosen_watch(watches: Sequence[WatchView]) -> WatchView:
    """The watch that the address names, or else the first one. Raises NotThere for an unknown one."""
    by_id = {w.id: w for w in watches}
    if not by_id:
        page.notice(text("notice", "no_watch"), text("notice", "no_watch_why", api=page.api().base), "empty")
        st.stop()
    wanted = st.query_params.get("watch", next(iter(by_id)))
    if wanted not in by_id:
        raise NotThere(text("notice", "unknown_watch", watch=repr(wanted), known=", ".join(by_id)))
    return by_id[wanted]


def pick(key: str, label: str, words: dict[str, str], default: str) -> str:
    """A choice between the keys of `words`, kept in the address as `key=...`. Returns the chosen key of `words`."""
    wanted = st.query_params.get(key, default)
    start = wanted if wanted in words else default
    picked = st.segmented_control(
        label, list(words), default=start, required=True, format_func=words.__getitem__, key=key
    )
    if picked and picked != st.query_params.get(key):
        st.query_params[key] = picked
    return picked or start


def link(to: str, **query: str) -> str:
    """An address within the dashboard: the page `to` with the query's non-empty values."""
    return f"{to}?{urlencode({k: v for k, v in query.items() if v})}"

"""One provider: what its probes saw, with the onset's interval drawn over it, and how the answer came to be."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st

from dashboard import page as frame
from dashboard import texts, times
from dashboard.charts.strip import strip
from dashboard.client import NotThere, Params
from dashboard.tables import TableCell, TableRow, table

Row = dict[str, Any]

PAGES, PER_PAGE = 4, 2500
"""How much of a window is read: more is counted in bins."""
SHOWN = 24
"""Runs in the table."""
AROUND, LATEST, BINS = 40, 120, 150
"""Cadences shown on each side of an onset; cadences of the latest window; bins over everything."""


def window(kind: str, entry: Row, watch: Row, surface: str, known: str | None) -> tuple[Params, tuple[int, int]]:
    """What to ask of the series for a window, and the window itself in milliseconds."""
    cadence = round(watch["cadence_s"] * 1000)
    end = (times.ms(known) if known else 0) + cadence
    answer = entry["surfaces"].get(surface)
    onset = answer["onset"] if answer else None
    params: Params = {"surface": surface, "limit": PER_PAGE}
    if kind == "onset" and onset:
        start = times.ms(onset["earliest"] or onset["latest"]) - AROUND * cadence
        end = min(end, times.ms(onset["latest"]) + AROUND * cadence)
    elif kind == "all":
        first = frame.client().series(watch["id"], entry["provider"], {"surface": surface, "limit": 1}).value["items"]
        start = times.ms(first[0]["at"]) - cadence if first else end - LATEST * cadence
        params["bin"] = max(1.0, round((end - start) / BINS / 1000, 3))
    else:
        start = end - LATEST * cadence
    return params | {"start": times.text(start), "end": times.text(end)}, (start, end)


def read(watch: Row, provider: str, params: Params) -> Row:
    """A window of the series, its pages put together."""
    series = dict(frame.client().series(watch["id"], provider, params).value)
    for _ in range(PAGES - 1):
        if not series["next"]:
            break
        page = frame.client().series(watch["id"], provider, params | {"cursor": series["next"]}).value
        series |= {
            "items": series["items"] + page["items"],
            "bins": series["bins"] + page["bins"],
            "next": page["next"],
        }
    seen = {r["label"] for r in (*series["items"], *series["bins"])}
    there = sorted((p for p in series["probes"] if p["label"] in seen), key=lambda p: p["role"] == "reference")
    return series | {"probes": there}


def _measured(series: Row, window: tuple[int, int], watch: Row) -> tuple[int, int]:
    """The window without what lies before the first run: no space is drawn for what wasn't measured."""
    first = min(times.ms(r.get("at") or r["start"]) for r in (*series["items"], *series["bins"]))
    return max(window[0], first - round(2000 * watch["cadence_s"])), window[1]


def changes(items: list[Row]) -> list[Row]:
    """The runs on both sides of each change of a probe's outcome."""
    kept: dict[str, Row] = {}
    last: dict[str, Row] = {}
    for run in items:
        before = last.get(run["label"])
        if before and before["verdict"] != run["verdict"]:
            kept |= {before["run_id"]: before, run["run_id"]: run}
        last[run["label"]] = run
    return list(kept.values())


def rules_by_id(version: str) -> dict[str, Row]:
    """The rules of a rule set by their ids; none where the API does not have that version."""
    try:
        return {r["id"]: r for r in frame.client().rule_set(version).value["rules"]} if version else {}
    except NotThere:
        return {}


def reason(run: Row, rules: dict[str, Row]) -> str:
    """Why a run has its outcome, in the words of the rule that decided; "" where that rule is not known.

    A run that is `down` was decided by the rule that compares it with the references' runs.
    """
    if run["verdict"] == "down":
        return next((r["reason"] for r in rules.values() if r["verdict"] == "down"), "")
    rule = rules.get(run["rule"])
    return rule["reason"] if rule else ""


def runs(items: list[Row], rules: dict[str, Row]) -> str:
    """A table of the runs around changes, or where nothing changed of the newest ones."""
    changed = changes(items)
    chosen = sorted(changed or items, key=lambda r: r["at"], reverse=True)[:SHOWN]
    day = f"{times.moment(items[-1]['at']):%-d %b %Y}"
    caption = (texts.RUNS_CHANGED if changed else texts.RUNS_NEWEST).format(n=len(chosen), all=len(items), day=day)
    return table(texts.RUN_COLUMNS, [_run(r, rules) for r in chosen], caption)


def _run(run: Row, rules: dict[str, Row]) -> TableRow:
    colour = frame.colours().outcomes()[run["verdict"]]
    cells = {
        "at": TableCell(text=f"{times.moment(run['at']):%H:%M:%S}"),
        "probe": TableCell(text=run["label"]),
        "verdict": TableCell(text=texts.OUTCOME_SAID[run["verdict"]], colour=colour),
        "method": TableCell(text=run["method"] or texts.NONE, style="code"),
        "rule": TableCell(text=run["rule"], style="code"),
        "evidence": TableCell(text=run["evidence"], below=reason(run, rules)),
    }
    return TableRow(cells, {"run": run["run_id"], "verdict": run["verdict"]})


def revisions(page: Row) -> str:
    """A table of the revisions of the provider's answers, newest first."""
    lines = [_revision(r) for r in page["revisions"]]
    return table(texts.REVISION_COLUMNS, lines, f"{texts.REVISIONS}. {texts.REVISIONS_WHY}")


def _revision(revision: Row) -> TableRow:
    state, onset = revision["state"], revision["onset"]
    cells = {
        "as_of": TableCell(text=f"{times.moment(revision['as_of']):%-d %b %H:%M:%S}"),
        "surface": TableCell(text=revision["surface"]),
        "state": TableCell(text=texts.STATE_SAID[state], colour=frame.colours().state(state)),
        "onset": TableCell(text=f"{times.moment(onset):%-d %b %H:%M:%S}" if onset else texts.NONE),
        "p": TableCell(text=times.chance(revision["p_block"])),
        "model": TableCell(text=revision["model"], style="code"),
        "input": TableCell(text=revision["input_digest"][:12], style="code"),
    }
    return TableRow(cells)


def facts(answer: Row) -> str:
    """The figures behind an answer."""
    values = (answer["measurements"], answer["probes"], answer["lines"], times.chance(answer["p_block"]),
              answer["method"] or texts.NONE, answer["pattern"])  # fmt: skip
    cells = "".join(
        f"<div><dt>{n}</dt><dd>{escape(str(v))}</dd></div>" for n, v in zip(texts.FACTS, values, strict=True)
    )
    return f'<dl class="bo-facts">{cells}</dl>'


def choose(entry: Row, watch: Row) -> tuple[str, str]:
    """Surface and window, both in the address."""
    surfaces = {name: name for name in watch["surfaces"]}
    left, right = st.columns(2)
    with left:
        surface = frame.pick("surface", texts.SURFACE, surfaces, entry["surface"] or next(iter(surfaces)))
    with right:
        return surface, frame.pick("window", texts.WINDOW, texts.WINDOWS, "onset")


def live(watch: Row, provider: str, surface: str, kind: str) -> None:
    """The part that follows the measurements."""
    reading = frame.client().provider(watch["id"], provider)
    page, entry = reading.value, reading.value["entry"]
    known = page["revisions"][0]["as_of"] if page["revisions"] else None
    answer = entry["surfaces"].get(surface)
    frame.status(reading, known, watch)
    st.html(f'<p class="bo-sentence">{escape(entry["sentence"])}</p>')
    if answer:
        st.html(facts(answer))
        if answer["reasons"]:
            said = ", ".join(r.replace("_", " ") for r in answer["reasons"])
            st.html(f'<p class="bo-key">{escape(texts.REASONS.format(reasons=said))}</p>')
    else:
        st.html(f'<p class="bo-key">{escape(texts.NO_SURFACE.format(surface=surface))}</p>')
    params, shown = window(kind, entry, watch, surface, known)
    series = read(watch, provider, params)
    if not (series["items"] or series["bins"]):
        frame.notice(texts.NO_RUNS, "", "empty")
    else:
        alt = texts.STRIP_ALT.format(start=times.text(shown[0]), end=times.text(shown[1]))
        frame.chart(strip, series, entry, watch, _measured(series, shown, watch), key="strip", alt=alt)
    if series["items"]:
        st.html(runs(series["items"], rules_by_id(series["rule_set"])))
    if page["revisions"]:
        st.html(revisions(page))


def main() -> None:
    """The page."""
    watch = frame.chosen_watch(frame.watches())
    provider = st.query_params.get("provider", watch["providers"][0]["id"])
    found = next((p for p in watch["providers"] if p["id"] == provider), None)
    if found is None:
        raise NotThere(f"{provider!r} is not a provider of this watch.")
    entry = frame.client().provider(watch["id"], provider).value["entry"]
    frame.banner(watch)
    networks = ", ".join(f"AS{n}" for n in found["asns"])
    names = " · ".join(n for n in (found["legal_name"], found["local_name"], found["access"], networks) if n)
    st.html(
        f'<header class="bo-head"><p class="bo-kicker"><a href="{escape(frame.link("./", watch=watch["id"]))}" '
        f'target="_self">{texts.BACK}</a> · {escape(watch["title"])}</p><h1>{escape(found["name"])}</h1>'
        f'<p class="bo-order">{escape(names)}</p></header>'
    )
    surface, kind = choose(entry, watch)
    frame.live(watch, lambda: live(watch, provider, surface, kind))


main()

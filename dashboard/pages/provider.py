"""One provider: what its probes measured, with the onset's interval drawn over it, and the answer's revisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import msgspec
import streamlit as st

from dashboard import header, page, texts, times
from dashboard.charts.strip import strip
from dashboard.client import NotThere, Params
from dashboard.shapes import (
    AnswerView,
    EntryView,
    ProviderPageView,
    RevisionView,
    RuleView,
    RunView,
    SeriesView,
    WatchView,
)
from dashboard.state import chosen_watch, link, pick
from dashboard.tables import TableCell, TableRow, table
from dashboard.texts import text, words

PAGES, PER_PAGE = 4, 2500
"""How much of a period is read, in pages of the API; longer periods are read in bins."""
SHOWN = 24
"""Runs in the table."""
AROUND, LATEST, BINS = 40, 120, 150
"""Cadences shown on each side of an onset; cadences of the latest period; bins over the whole time."""


def window(
    kind: str, entry: EntryView, watch: WatchView, surface: str, as_of: str | None
) -> tuple[Params, tuple[int, int]]:
    """The parameters to read a period of the series with, and the period itself in milliseconds since the epoch.

    `kind` is a key of the section `window` of the texts.
    """
    cadence_ms = round(watch.cadence_s * 1000)
    end = (times.ms(as_of) if as_of else 0) + cadence_ms
    answer = entry.surfaces.get(surface)
    onset = answer.onset if answer else None
    params: Params = {"surface": surface, "limit": PER_PAGE}
    if kind == "onset" and onset:
        start = times.ms(onset.earliest or onset.latest) - AROUND * cadence_ms
        end = min(end, times.ms(onset.latest) + AROUND * cadence_ms)
    elif kind == "all":
        first = page.api().series(watch.id, entry.provider, {"surface": surface, "limit": 1}).value.items
        start = times.ms(first[0].at) - cadence_ms if first else end - LATEST * cadence_ms
        params["bin"] = max(1.0, round((end - start) / BINS / 1000, 3))
    else:
        start = end - LATEST * cadence_ms
    return params | {"start": times.text(start), "end": times.text(end)}, (start, end)


def read(watch: WatchView, provider: str, params: Params) -> SeriesView:
    """A period of the series, its pages joined. Only probes with runs in the period are kept, references last."""
    series = page.api().series(watch.id, provider, params).value
    for _ in range(PAGES - 1):
        if not series.next:
            break
        more = page.api().series(watch.id, provider, params | {"cursor": series.next}).value
        series = msgspec.structs.replace(
            series, items=series.items + more.items, bins=series.bins + more.bins, next=more.next
        )
    labels = {r.label for r in series.items} | {b.label for b in series.bins}
    probes = sorted((p for p in series.probes if p.label in labels), key=lambda p: p.role == "reference")
    return msgspec.structs.replace(series, probes=tuple(probes))


def _measured(series: SeriesView, window: tuple[int, int], watch: WatchView) -> tuple[int, int]:
    """The period without the part before the first run, for which nothing could be drawn."""
    first = min(times.ms(t) for t in (*(r.at for r in series.items), *(b.start for b in series.bins)))
    return max(window[0], first - round(2000 * watch.cadence_s)), window[1]


def changes(items: Sequence[RunView]) -> list[RunView]:
    """The runs before and after each change of a probe's outcome."""
    kept: dict[str, RunView] = {}
    last: dict[str, RunView] = {}
    for run in items:
        before = last.get(run.label)
        if before and before.verdict != run.verdict:
            kept |= {before.run_id: before, run.run_id: run}
        last[run.label] = run
    return list(kept.values())


def rules_by_id(version: str) -> dict[str, RuleView]:
    """The rules of a rule set by their ids; none where the API does not have that version."""
    try:
        return {r.id: r for r in page.api().rule_set(version).value.rules} if version else {}
    except NotThere:
        return {}


def reason(run: RunView, rules: Mapping[str, RuleView]) -> str:
    """Why a run has its outcome, in the words of the rule that decided; "" where that rule is not known.

    A run that is `down` was decided by the rule that compares it with the references' runs.
    """
    if run.verdict == "down":
        return next((r.reason for r in rules.values() if r.verdict == "down"), "")
    rule = rules.get(run.rule)
    return rule.reason if rule else ""


def runs(items: Sequence[RunView], rules: Mapping[str, RuleView]) -> str:
    """A table of the runs around changes, or of the newest ones if nothing changed."""
    changed = changes(items)
    chosen = sorted(changed or items, key=lambda r: r.at, reverse=True)[:SHOWN]
    day = f"{times.moment(items[-1].at):%-d %b %Y}"
    key = "runs_changed" if changed else "runs_newest"
    caption = text("provider", key, count=len(chosen), total=len(items), day=day)
    return table(words("run_columns"), [_run(r, rules) for r in chosen], caption)


def _run(run: RunView, rules: Mapping[str, RuleView]) -> TableRow:
    colour = page.colours().outcomes()[run.verdict]
    cells = {
        "at": TableCell(text=f"{times.moment(run.at):%H:%M:%S}"),
        "probe": TableCell(text=run.label),
        "verdict": TableCell(text=texts.outcome(run.verdict), colour=colour),
        "method": TableCell(text=run.method or text("general", "none"), style="code"),
        "rule": TableCell(text=run.rule, style="code"),
        "evidence": TableCell(text=run.evidence, below=reason(run, rules)),
    }
    return TableRow(cells, {"run": run.run_id, "verdict": run.verdict})


def revisions(of: ProviderPageView) -> str:
    """A table of the revisions of the provider's answers, newest first."""
    return table(words("revision_columns"), [_revision(r) for r in of.revisions], text("provider", "revisions"))


def _revision(revision: RevisionView) -> TableRow:
    state, onset = revision.state, revision.onset
    cells = {
        "as_of": TableCell(text=f"{times.moment(revision.as_of):%-d %b %H:%M:%S}"),
        "surface": TableCell(text=revision.surface),
        "state": TableCell(text=texts.state(state), colour=page.colours().state(state)),
        "onset": TableCell(text=f"{times.moment(onset):%-d %b %H:%M:%S}" if onset else text("general", "none")),
        "p": TableCell(text=times.probability(revision.p_block)),
        "model": TableCell(text=revision.model, style="code"),
        "input": TableCell(text=revision.input_digest[:12], style="code"),
    }
    return TableRow(cells)


def figures(answer: AnswerView) -> str:
    """The figures of an answer, as an HTML list."""
    values = {
        "measurements": str(answer.measurements),
        "probes": str(answer.probes),
        "lines": str(answer.lines),
        "p": times.probability(answer.p_block),
        "method": answer.method or text("general", "none"),
        "pattern": answer.pattern,
    }
    items = "".join(f"<div><dt>{escape(text('answer', k))}</dt><dd>{escape(v)}</dd></div>" for k, v in values.items())
    return f'<dl class="bo-facts">{items}</dl>'


def choose(entry: EntryView, watch: WatchView) -> tuple[str, str]:
    """The surface and the kind of period, both kept in the address."""
    surfaces = {name: name for name in watch.surfaces}
    left, right = st.columns(2)
    with left:
        surface = pick("surface", text("provider", "surface"), surfaces, entry.surface or next(iter(surfaces)))
    with right:
        return surface, pick("window", text("provider", "window"), words("window"), "onset")


def draw(watch: WatchView, provider: str, surface: str, kind: str) -> None:
    """Draw the part that follows the measurements."""
    answer_of_api = page.api().provider(watch.id, provider)
    provider_page, entry = answer_of_api.value, answer_of_api.value.entry
    as_of = provider_page.revisions[0].as_of if provider_page.revisions else None
    answer = entry.surfaces.get(surface)
    header.status(answer_of_api, as_of, watch)
    st.html(f'<p class="bo-sentence">{escape(entry.sentence)}</p>')
    if answer:
        st.html(figures(answer))
        if answer.reasons:
            reasons = ", ".join(r.replace("_", " ") for r in answer.reasons)
            st.html(f'<p class="bo-key">{escape(text("provider", "reasons", reasons=reasons))}</p>')
    else:
        st.html(f'<p class="bo-key">{escape(text("provider", "no_surface", surface=surface))}</p>')
    params, period = window(kind, entry, watch, surface, as_of)
    series = read(watch, provider, params)
    if not (series.items or series.bins):
        page.notice(text("notice", "no_runs"), "", "empty")
    else:
        alt = text("provider", "chart_alt", start=times.text(period[0]), end=times.text(period[1]))
        page.chart(strip, series, entry, watch, _measured(series, period, watch), key="strip", alt=alt)
    if series.items:
        st.html(runs(series.items, rules_by_id(series.rule_set)))
    if provider_page.revisions:
        st.html(revisions(provider_page))


def main() -> None:
    """Draw the page."""
    watch = chosen_watch(page.watches())
    provider_id = st.query_params.get("provider", watch.providers[0].id)
    provider = next((p for p in watch.providers if p.id == provider_id), None)
    if provider is None:
        raise NotThere(text("notice", "unknown_provider", provider=repr(provider_id)))
    entry = page.api().provider(watch.id, provider_id).value.entry
    header.banner(watch)
    networks = ", ".join(f"AS{n}" for n in provider.asns)
    names = " · ".join(n for n in (provider.legal_name, provider.local_name, provider.access, networks) if n)
    back = f'<a href="{escape(link("./", watch=watch.id))}" target="_self">{escape(text("pages", "back"))}</a>'
    st.html(
        f'<header class="bo-head"><p class="bo-kicker">{back} · {escape(watch.title)}</p>'
        f'<h1>{escape(provider.name)}</h1><p class="bo-order">{escape(names)}</p></header>'
    )
    surface, kind = choose(entry, watch)
    page.live(watch, lambda: draw(watch, provider_id, surface, kind))


main()

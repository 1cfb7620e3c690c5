"""The series of a provider: how each probe's runs ended, one by one or counted in bins."""

from __future__ import annotations

import datetime as dt
from math import isnan
from typing import Annotated, Any

from litestar import Response, get
from litestar.exceptions import ClientException
from litestar.params import QueryParameter

from aggregator.answers.reviser import REFERENCE_CADENCES
from aggregator.api.requests import (
    PROBLEMS,
    ApiData,
    Asked,
    AsOf,
    Cursor,
    ProviderId,
    Sources,
    WatchId,
    cursor,
    hashed,
    moment,
    place,
)
from aggregator.api.routes.answers import current
from aggregator.api.shapes import RunOutcome, Series, SeriesBin, SeriesProbe
from probe.base import times
from probe.protocol.watch import Watch

_BEFORE_ALL_RUNS = (-1, "")
_BEFORE_ALL_BINS = (-1, "", "", "")

_Labels = dict[tuple[str, str], SeriesProbe]


@get(
    "/watches/{watch:str}/providers/{provider:str}/series",
    opt={"shows": "series"},
    sync_to_thread=True,
    responses=PROBLEMS,
)
def series(
    request: Asked,
    source: Sources,
    watch: WatchId,
    provider: ProviderId,
    surface: Annotated[
        str | None, QueryParameter(description="Default: the surface of the provider's headline.")
    ] = None,
    start: Annotated[dt.datetime | None, QueryParameter(description="Runs from here on (RFC 3339).")] = None,
    end: Annotated[dt.datetime | None, QueryParameter(description="Runs before this (RFC 3339).")] = None,
    bins: Annotated[
        float | None, QueryParameter(name="bin", ge=1, le=31 * 86400, description="Count in bins of so many seconds.")
    ] = None,
    as_of: AsOf = None,
    page: Cursor = None,
    limit: Annotated[int, QueryParameter(ge=1, le=10_000, description="Rows a page.")] = 1000,
) -> Response[Series]:
    """Outcomes by probe in order of time. The watch's references are among them: they tell `down` from `blocked`."""
    of, found = source.provider(watch, provider)
    known = moment("as_of", as_of, times.FOREVER)
    shown, rule_set = _judged_by(source, of, found.id, surface, known)
    question: dict[str, Any] = {
        "watch": of.id,
        "provider": found.id,
        "surface": shown,
        "rule_set": rule_set,
        "as_of": known,
        "start": moment("start", start, 0),
        "end": moment("end", end, times.FOREVER),
        "near_ms": round(REFERENCE_CADENCES * of.cadence_s * 1000),
        "limit": limit,
    }
    labels = _labels(source, of.id, found.id, rule_set)
    rows = _runs(source, question, labels, page) if bins is None else []
    counted = _bins(source, question, labels, page, round(bins * 1000)) if bins is not None else []
    last = (rows or counted)[-1] if len(rows or counted) == limit else None
    answer = Series(
        watch=of.id,
        provider=found.id,
        surface=shown,
        rule_set=rule_set,
        probes=tuple(labels.values()),
        items=tuple(rows),
        bin_s=bins,
        bins=tuple(counted),
        next=_next(last) if last else None,
    )
    return hashed(request, answer)


def _judged_by(source: ApiData, watch: Watch, provider: str, surface: str | None, known: int) -> tuple[str, str]:
    """The surface to show and the rule set to read it under: those of the answer, where there is one."""
    names = watch.surfaces.names()
    if surface is not None and surface not in names:
        raise ClientException(f"surface: this watch has {' and '.join(names)}, not {surface!r}")
    said, rule_sets, _ = current(source, watch, known)
    entry = next(e for e in said if e.provider == provider)
    newest = max(rule_sets, default=None)
    if newest is None:
        rows = source.store.read("rule_set_newest", watch=watch.id)
        newest = rows[0]["rule_set"] if rows else ""
    return surface or entry.surface or names[0], newest


def _labels(source: ApiData, watch: str, provider: str, rule_set: str) -> _Labels:
    """Every probe of a provider, and the references, with labels numbered by the order they were first seen in."""
    found = source.store.read("provider_probes", watch=watch, provider=provider, rule_set=rule_set)
    lines = list(dict.fromkeys(r["line"] for r in found if r["line"] and r["role"] == "probe"))
    labels = {}
    for row in found:
        where = f"line {lines.index(row['line']) + 1}" if row["line"] in lines else "line ?"
        short = f"{'reference' if row['role'] == 'reference' else where} · …{row['probe'][-4:]}"
        labels[row["probe"], row["line"]] = SeriesProbe(
            probe=row["probe"], label=short, line=row["line"], role=row["role"]
        )
    return labels


def _runs(source: ApiData, question: dict[str, Any], labels: _Labels, page: str | None) -> list[RunOutcome]:
    after = place(page, _BEFORE_ALL_RUNS)
    rows = source.store.read("series", **question, after_at=after[0], after_run=after[1])
    return [
        RunOutcome(
            at=times.text(r["at_ms"]),
            received=times.text(r["received_ms"]),
            probe=r["probe"],
            label=_label(labels, r),
            line=r["line"],
            role=r["role"],
            verdict=r["outcome"],
            method=r["method"],
            rule=r["rule"],
            failure=r["failure"],
            share_failed=None if isnan(r["share_failed"]) else round(r["share_failed"], 4),
            evidence=r["evidence"],
            run_id=r["run"],
        )
        for r in rows
    ]


def _bins(source: ApiData, question: dict[str, Any], labels: _Labels, page: str | None, bin_ms: int) -> list[SeriesBin]:
    after = place(page, _BEFORE_ALL_BINS)
    names = ("after_start", "after_probe", "after_line", "after_role")
    rows = source.store.read("series_bins", **question, bin_ms=bin_ms, **dict(zip(names, after, strict=True)))
    return [
        SeriesBin(
            start=times.text(r["start_ms"]),
            probe=r["probe"],
            label=_label(labels, r),
            line=r["line"],
            role=r["role"],
            ok=r["ok"],
            blocked=r["blocked"],
            down=r["down"],
            inconclusive=r["inconclusive"],
        )
        for r in rows
    ]


def _label(labels: _Labels, row: dict[str, Any]) -> str:
    """A label; a probe first seen after the labels were read waits for the next read to get its line's number."""
    known = labels.get((row["probe"], row["line"]))
    return known.label if known else f"line ? · …{row['probe'][-4:]}"


def _next(last: RunOutcome | SeriesBin) -> str:
    if isinstance(last, RunOutcome):
        return cursor((times.milliseconds(times.moment(last.at)), last.run_id))
    return cursor((times.milliseconds(times.moment(last.start)), last.probe, last.line, last.role))

"""The series of a provider: the outcome of each probe's runs, one by one or counted in bins."""

from __future__ import annotations

import datetime as dt
from math import isnan
from typing import Annotated, Any

from litestar import Response, get
from litestar.exceptions import ClientException
from litestar.params import QueryParameter

from aggregator.answers.reviser import REFERENCE_CADENCES
from aggregator.api.problems import ApiRequest
from aggregator.api.requests import (
    ETAG,
    PROBLEMS,
    UNCHANGED,
    ApiData,
    AsOf,
    Cursor,
    InjectedApiData,
    ProviderId,
    WatchId,
    from_cursor,
    hashed,
    moment,
    to_cursor,
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
    operation_id="getSeries",
    summary="The outcomes of a provider's runs",
    tags=["evidence"],
    opt={"shows": "series"},
    sync_to_thread=True,
    responses=PROBLEMS | UNCHANGED,
    response_headers=ETAG,
)
def series(
    request: ApiRequest,
    source: InjectedApiData,
    watch: WatchId,
    provider: ProviderId,
    surface: Annotated[
        str | None, QueryParameter(description="Default: the surface that the provider's entry is about.")
    ] = None,
    start: Annotated[dt.datetime | None, QueryParameter(description="Runs from here on (RFC 3339).")] = None,
    end: Annotated[dt.datetime | None, QueryParameter(description="Runs before this (RFC 3339).")] = None,
    bin: Annotated[  # noqa: A002 - the parameter's name, which errors give
        float | None,
        QueryParameter(ge=1, le=31 * 86400, description="Count runs in bins of this many seconds."),
    ] = None,
    as_of: AsOf = None,
    cursor: Cursor = None,
    limit: Annotated[int, QueryParameter(ge=1, le=10_000, description="Rows on a page.")] = 1000,
) -> Response[Series]:
    """Outcomes by probe in order of time. The watch's references are included: they tell `down` from `blocked`."""
    its_watch, its_provider = source.provider(watch, provider)
    until = moment("as_of", as_of, times.FOREVER)
    surface_shown, rule_set = _surface_and_rule_set(source, its_watch, its_provider.id, surface, until)
    query: dict[str, Any] = {
        "watch": its_watch.id,
        "provider": its_provider.id,
        "surface": surface_shown,
        "rule_set": rule_set,
        "as_of": until,
        "start": moment("start", start, 0),
        "end": moment("end", end, times.FOREVER),
        "near_ms": round(REFERENCE_CADENCES * its_watch.cadence_s * 1000),
        "limit": limit,
    }
    labels = _labels(source, its_watch.id, its_provider.id, rule_set)
    rows = _runs(source, query, labels, cursor) if bin is None else []
    counted = _bins(source, query, labels, cursor, round(bin * 1000)) if bin is not None else []
    last = (rows or counted)[-1] if len(rows or counted) == limit else None
    answer = Series(
        watch=its_watch.id,
        provider=its_provider.id,
        surface=surface_shown,
        rule_set=rule_set,
        probes=tuple(labels.values()),
        items=tuple(rows),
        bin_s=bin,
        bins=tuple(counted),
        next=_next(last) if last else None,
    )
    return hashed(request, answer)


def _surface_and_rule_set(
    source: ApiData, watch: Watch, provider: str, surface: str | None, until: int
) -> tuple[str, str]:
    """The surface to show, and the rule set whose verdicts to show: by default those of the provider's answer.

    Raises ClientException (400) for a surface that the watch does not have.
    """
    names = watch.surfaces.names()
    if surface is not None and surface not in names:
        raise ClientException(f"surface: this watch has {' and '.join(names)}, not {surface!r}")
    providers, rule_sets, _ = current(source, watch, until)
    entry = next(e for e in providers if e.provider == provider)
    newest = max(rule_sets, default=None)
    if newest is None:
        rows = source.store.read("rule_set_newest", watch=watch.id)
        newest = rows[0]["rule_set"] if rows else ""
    return surface or entry.surface or names[0], newest


def _labels(source: ApiData, watch: str, provider: str, rule_set: str) -> _Labels:
    """Every probe of a provider, and the references, by probe and line. Lines are numbered by their first run."""
    rows = source.store.read("provider_probes", watch=watch, provider=provider, rule_set=rule_set)
    lines = list(dict.fromkeys(r["line"] for r in rows if r["line"] and r["role"] == "probe"))
    labels = {}
    for row in rows:
        line = f"line {lines.index(row['line']) + 1}" if row["line"] in lines else "line ?"
        label = f"{'reference' if row['role'] == 'reference' else line} · …{row['probe'][-4:]}"
        labels[row["probe"], row["line"]] = SeriesProbe(
            probe=row["probe"], label=label, line=row["line"], role=row["role"]
        )
    return labels


def _runs(source: ApiData, query: dict[str, Any], labels: _Labels, cursor: str | None) -> list[RunOutcome]:
    after = from_cursor(cursor, _BEFORE_ALL_RUNS)
    rows = source.store.read("series", **query, after_at=after[0], after_run=after[1])
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


def _bins(source: ApiData, query: dict[str, Any], labels: _Labels, cursor: str | None, bin_ms: int) -> list[SeriesBin]:
    after = from_cursor(cursor, _BEFORE_ALL_BINS)
    names = ("after_start", "after_probe", "after_line", "after_role")
    rows = source.store.read("series_bins", **query, bin_ms=bin_ms, **dict(zip(names, after, strict=True)))
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
    """A row's label. A probe that came after the labels were read has no number yet for its line."""
    known = labels.get((row["probe"], row["line"]))
    return known.label if known else f"line ? · …{row['probe'][-4:]}"


def _next(last: RunOutcome | SeriesBin) -> str:
    if isinstance(last, RunOutcome):
        return to_cursor((times.milliseconds(times.moment(last.at)), last.run_id))
    return to_cursor((times.milliseconds(times.moment(last.start)), last.probe, last.line, last.role))

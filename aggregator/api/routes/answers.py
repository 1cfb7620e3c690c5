"""Watches, and the answers about their providers."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, get
from litestar.params import QueryParameter

from aggregator.answers import entry as entries
from aggregator.answers import sentences
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
    moment,
    place,
)
from aggregator.api.requests import versioned as answer
from aggregator.api.shapes import Onsets, ProviderPage, Revision, WatchList, watch_shape
from aggregator.inference.answer.answer import Answer
from probe.base import times
from probe.protocol.watch import Watch

_OLDEST_FIRST = (times.FOREVER, times.FOREVER, "~")
"""A place in the order of revisions that all of them come after."""


@get("/watches", opt={"shows": "directives"}, sync_to_thread=False)
def watches(source: Sources) -> WatchList:
    """What is watched: each service, country and order, with its dates as they were written and their readings."""
    return WatchList(items=tuple(watch_shape(w) for w in source.watches.values()))


@get("/watches/{watch:str}/onsets", opt={"shows": "answers"}, sync_to_thread=True, responses=PROBLEMS)
def onsets(request: Asked, source: Sources, watch: WatchId, as_of: AsOf = None) -> Response[Onsets]:
    """When the service stopped working on each provider of a watch, the headline in words, and the counts in it.

    All providers of the watch are listed; those without measurements have `answer` null.
    """
    of = source.watch(watch)
    until = moment("as_of", as_of, times.FOREVER)
    version = source.store.read("watch_version", watch=of.id, as_of=until)[0]
    return answer(request, (of.digest, *version.values()), lambda: _onsets(source, of, until, version))


@get(
    "/watches/{watch:str}/providers/{provider:str}",
    opt={"shows": "answers"},
    sync_to_thread=True,
    responses=PROBLEMS,
)
def provider_page(
    request: Asked,
    source: Sources,
    watch: WatchId,
    provider: ProviderId,
    as_of: AsOf = None,
    page: Cursor = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500, description="Revisions a page.")] = 50,
) -> Response[ProviderPage]:
    """One provider: its entry as in the onsets of its watch, and the revisions of its answers, newest first."""
    of, found = source.provider(watch, provider)
    until = moment("as_of", as_of, times.FOREVER)
    after = place(page, _OLDEST_FIRST)
    version = source.store.read("watch_version", watch=of.id, as_of=until)[0]

    def build() -> ProviderPage:
        entry = next(e for e in current(source, of, until)[0] if e.provider == found.id)
        revisions = _revisions(source, of, found.id, until, after, limit)
        last = revisions[-1] if len(revisions) == limit else None
        return ProviderPage(watch=of.id, entry=entry, revisions=revisions, next=_next(last))

    return answer(request, (of.digest, *version.values()), build)


def current(source: ApiData, watch: Watch, until: int) -> tuple[tuple[entries.ProviderEntry, ...], set[str], set[str]]:
    """The watch's entries as of a time, and the rule sets and models that made them."""
    rows = source.store.read("watch_answers", watch=watch.id, as_of=until)
    answers = {(r["provider"], r["surface"]): msgspec.json.decode(r["answer"], type=Answer) for r in rows}
    said = tuple(sentences.spoken(watch, e) for e in entries.entries(watch, answers))
    return said, {r["rule_set"] for r in rows}, {r["model"] for r in rows}


def _onsets(source: ApiData, watch: Watch, until: int, version: dict[str, int]) -> Onsets:
    said, rule_sets, models = current(source, watch, until)
    known = bool(version["revisions"])
    return Onsets(
        watch=watch.id,
        title=watch.title,
        fictional=watch.fictional,
        as_of=times.text(version["as_of"]) if known else None,
        made=times.text(version["made"]) if known else None,
        headline=sentences.headline(watch, said),
        counts=entries.counts(said),
        rule_set=", ".join(sorted(rule_sets)),
        model=", ".join(sorted(models)),
        providers=said,
    )


def _revisions(
    source: ApiData, watch: Watch, provider: str, until: int, after: tuple[int, int, str], limit: int
) -> tuple[Revision, ...]:
    rows = source.store.read(
        "provider_revisions",
        watch=watch.id,
        provider=provider,
        as_of=until,
        before_as_of=after[0],
        before_made=after[1],
        before_surface=after[2],
        limit=limit,
    )
    return tuple(
        Revision(
            surface=r["surface"],
            as_of=times.text(r["as_of"]),
            made=times.text(r["made"]),
            rule_set=r["rule_set"],
            model=r["model"],
            input_digest=r["input_digest"],
            state=r["state"],
            p_block=r["p_block"],
            onset=None if r["onset"] is None else times.text(r["onset"]),
        )
        for r in rows
    )


def _next(last: Revision | None) -> str | None:
    if last is None:
        return None
    as_of, made = (times.milliseconds(times.moment(t)) for t in (last.as_of, last.made))
    return cursor((as_of, made, last.surface))

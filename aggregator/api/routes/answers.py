"""Watches, and the answers about their providers."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, get
from litestar.params import QueryParameter

from aggregator.answers.entry import ProviderEntry, counts, entries
from aggregator.answers.sentences import headline, with_sentences
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
    versioned,
)
from aggregator.api.shapes import Onsets, ProviderPage, Revision, WatchList, watch_shape
from aggregator.inference.answer.answer import Answer
from probe.base import times
from probe.protocol.watch import Watch

_BEFORE_ALL_REVISIONS = (times.FOREVER, times.FOREVER, "~")
"""A sorting key before those of all revisions."""


@get(
    "/watches",
    operation_id="listWatches",
    summary="All watches",
    tags=["watches"],
    opt={"shows": "directives"},
    sync_to_thread=False,
    responses=UNCHANGED,
    response_headers=ETAG,
)
def watches(request: ApiRequest, source: InjectedApiData) -> Response[WatchList]:
    """All watches: service, country and order, with the order's dates as they were written and what they can mean."""
    return hashed(request, WatchList(items=tuple(watch_shape(w) for w in source.watches.values())))


@get(
    "/watches/{watch:str}/onsets",
    operation_id="getOnsets",
    summary="The answers of a watch",
    tags=["answers"],
    opt={"shows": "answers"},
    sync_to_thread=True,
    responses=PROBLEMS | UNCHANGED,
    response_headers=ETAG,
)
def onsets(request: ApiRequest, source: InjectedApiData, watch: WatchId, as_of: AsOf = None) -> Response[Onsets]:
    """When the service stopped working on each provider of a watch, a headline in words, and the counts in it.

    All providers of the watch are listed. Where nothing was measured `answer` is null.
    """
    its_watch = source.watch(watch)
    until = moment("as_of", as_of, times.FOREVER)
    version = source.store.read("watch_version", watch=its_watch.id, as_of=until)[0]
    return versioned(request, (its_watch.digest, *version.values()), lambda: _onsets(source, its_watch, until, version))


@get(
    "/watches/{watch:str}/providers/{provider:str}",
    operation_id="getProvider",
    summary="One provider and its revisions",
    tags=["answers"],
    opt={"shows": "answers"},
    sync_to_thread=True,
    responses=PROBLEMS | UNCHANGED,
    response_headers=ETAG,
)
def provider_page(
    request: ApiRequest,
    source: InjectedApiData,
    watch: WatchId,
    provider: ProviderId,
    as_of: AsOf = None,
    cursor: Cursor = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500, description="Revisions on a page.")] = 50,
) -> Response[ProviderPage]:
    """One provider: its entry as among the onsets of its watch, and the revisions of its answers, newest first."""
    its_watch, its_provider = source.provider(watch, provider)
    until = moment("as_of", as_of, times.FOREVER)
    after = from_cursor(cursor, _BEFORE_ALL_REVISIONS)
    version = source.store.read("watch_version", watch=its_watch.id, as_of=until)[0]

    def build() -> ProviderPage:
        entry = next(e for e in current(source, its_watch, until)[0] if e.provider == its_provider.id)
        revisions = _revisions(source, its_watch, its_provider.id, until, after, limit)
        last = revisions[-1] if len(revisions) == limit else None
        return ProviderPage(watch=its_watch.id, entry=entry, revisions=revisions, next=_next(last))

    return versioned(request, (its_watch.digest, *version.values()), build)


def current(source: ApiData, watch: Watch, until: int) -> tuple[tuple[ProviderEntry, ...], set[str], set[str]]:
    """A watch's entries as of `until` (ms), and the rule sets and models that made their answers. Raises StoreError."""
    rows = source.store.read("watch_answers", watch=watch.id, as_of=until)
    answers = {(r["provider"], r["surface"]): msgspec.json.decode(r["answer"], type=Answer) for r in rows}
    worded = tuple(with_sentences(watch, e) for e in entries(watch, answers))
    return worded, {r["rule_set"] for r in rows}, {r["model"] for r in rows}


def _onsets(source: ApiData, watch: Watch, until: int, version: dict[str, int]) -> Onsets:
    providers, rule_sets, models = current(source, watch, until)
    is_answered = bool(version["revisions"])
    return Onsets(
        watch=watch.id,
        title=watch.title,
        fictional=watch.fictional,
        as_of=times.text(version["as_of"]) if is_answered else None,
        made=times.text(version["made"]) if is_answered else None,
        headline=headline(watch, providers),
        counts=counts(providers),
        rule_set=", ".join(sorted(rule_sets)),
        model=", ".join(sorted(models)),
        providers=providers,
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
    return to_cursor((as_of, made, last.surface))

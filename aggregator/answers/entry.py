"""What a watch has to say about each of its providers: one entry each, drawn from the answers per surface.

Pure functions of a watch and of answers. Words are in `aggregator.answers.sentences`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from aggregator.inference.answer import compliance
from aggregator.inference.answer.answer import Answer, Interval
from aggregator.inference.watch_parameters import date_span
from probe.base import times
from probe.protocol.watch import Directive, DirectiveDate, Provider, Watch

STOPPED = ("blocked", "lifted")
"""The states in which the service stopped working while somebody watched."""
_BLOCKS = (*STOPPED, "blocked_since_before_start")


class OrderLag(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from the order to the onset, over all that the order's date and the onset's interval can mean.

    `earliest_s` is null where measuring began after the onset, `estimate_s` where the order is known to the day only.
    """

    earliest_s: float | None
    latest_s: float
    estimate_s: float | None
    words: str = ""
    """The same for people, to go before "the order": `14 s after`."""


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """How an onset stands to the directive's date. A `report_by` is a day to report, not one to have blocked by."""

    kind: Literal["block_by", "report_by"]
    limit: str
    """The instant that divides "by then" from "too late", under the wording's own bound."""
    before: bool | None
    """Null where the onset's interval reaches over the limit, so that nobody can tell."""


class ProviderEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One provider of a watch. `answer` is null where nothing has been measured."""

    provider: str
    name: str
    access: Literal["fixed", "mobile"]
    surface: str | None
    """The surface that the headline answer is about."""
    answer: Answer | None
    surfaces: dict[str, Answer]
    lag: OrderLag | None
    deadline: Deadline | None
    sentence: str = ""


class ProviderCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many of a watch's providers are in which state. All but the last four add up to `providers`.

    `lifted` are among `stopped`; `before_deadline`, `after_deadline` and `astride_deadline` (nobody can tell)
    count onsets of `stopped` and `already`.
    """

    providers: int
    stopped: int
    already: int
    suspected: int
    no_block: int
    insufficient: int
    unmeasured: int
    lifted: int
    before_deadline: int
    after_deadline: int
    astride_deadline: int


def entries(watch: Watch, answers: Mapping[tuple[str, str], Answer]) -> tuple[ProviderEntry, ...]:
    """One entry per provider of the watch, in its order. `answers` are keyed by (provider, surface)."""
    return tuple(
        _entry(watch, p, {s: answers[p.id, s] for s in watch.surfaces.names() if (p.id, s) in answers})
        for p in watch.providers
    )


def counts(of: Sequence[ProviderEntry]) -> ProviderCounts:
    """Count entries by state and by the deadline."""
    states = [e.answer.state if e.answer else None for e in of]
    dated = [e.deadline.before for e in of if e.deadline and e.answer and e.answer.state in _BLOCKS]
    return ProviderCounts(
        providers=len(of),
        stopped=sum(s in STOPPED for s in states),
        already=states.count("blocked_since_before_start"),
        suspected=states.count("suspected"),
        no_block=states.count("reachable"),
        insufficient=states.count("insufficient"),
        unmeasured=states.count(None),
        lifted=states.count("lifted"),
        before_deadline=dated.count(True),
        after_deadline=dated.count(False),
        astride_deadline=dated.count(None),
    )


def due(directive: Directive) -> DirectiveDate | None:
    """The date that onsets are held against: the deadline to block by, else the reporting date."""
    return directive.date("block_by") or directive.date("report_by")


def headline(surfaces: Mapping[str, Answer]) -> Answer | None:
    """The answer that speaks for a provider: its earliest block, else its earliest suspicion, else the most data."""
    for states in (_BLOCKS, ("suspected",)):
        found = [a for a in surfaces.values() if a.state in states]
        if found:
            return min(found, key=_began)
    return max(surfaces.values(), key=lambda a: a.used, default=None)


def _began(answer: Answer) -> tuple[bool, str]:
    """A sorting key: what was there before measuring began comes first, what has no onset last."""
    if answer.onset is None:
        return answer.state != "blocked_since_before_start", "~"
    return answer.state != "blocked_since_before_start", answer.onset.estimate or answer.onset.latest


def _entry(watch: Watch, provider: Provider, surfaces: dict[str, Answer]) -> ProviderEntry:
    answer = headline(surfaces)
    onset = answer.onset if answer else None
    issued, limit = watch.directive.date("issued"), due(watch.directive)
    return ProviderEntry(
        provider=provider.id,
        name=provider.name,
        access=provider.access,
        surface=answer.surface if answer else None,
        answer=answer,
        surfaces=surfaces,
        lag=_lag(onset, issued) if onset and issued else None,
        deadline=_deadline(onset, limit) if onset and limit else None,
    )


def _lag(onset: Interval, issued: DirectiveDate) -> OrderLag:
    earliest, estimate, latest = (_milliseconds(t) for t in (onset.earliest, onset.estimate, onset.latest))
    lag = compliance.lag(earliest, estimate, latest, date_span(issued))
    assert lag.latest is not None  # as an interval always has its latest time
    return OrderLag(
        earliest_s=lag.earliest,
        latest_s=lag.latest,
        estimate_s=lag.estimate[1] if lag.estimate and issued.precision != "day" else None,
    )


def _milliseconds(rfc3339: str | None) -> int | None:
    return None if rfc3339 is None else times.milliseconds(times.moment(rfc3339))


def _deadline(onset: Interval, date: DirectiveDate) -> Deadline:
    limit = date.limit()
    before: bool | None = None
    if times.moment(onset.latest) <= limit:
        before = True
    elif onset.earliest and times.moment(onset.earliest) >= limit:
        before = False
    return Deadline(
        kind="block_by" if date.kind == "block_by" else "report_by",
        limit=times.text(times.milliseconds(limit)),
        before=before,
    )

"""One entry for each provider of a watch, made from its answers on the watch's surfaces.

Pure functions of a watch and of answers. The words are in `aggregator.answers.sentences`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from aggregator.inference.answer import compliance
from aggregator.inference.answer.answer import Answer, Interval, LagRange
from aggregator.inference.watch_parameters import date_span
from probe.base import times
from probe.protocol.watch import Directive, DirectiveDate, Provider, Watch

STOPPED = ("blocked", "lifted")
"""The states in which the service stopped working after measuring began."""
_BLOCKS = (*STOPPED, "blocked_since_before_start")


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """On which side of the directive's date an onset lies. A `report_by` is a date to report by, not to block by."""

    kind: Literal["block_by", "report_by"]
    limit: str
    """An onset before this instant is in time, by the wording's own bound."""
    before: bool | None
    """Null where the onset's interval includes the limit, so that the side is not known."""


class ProviderEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One provider of a watch. `answer` is one of `surfaces`, by `headline`; null without measurements."""

    provider: str
    name: str
    access: Literal["fixed", "mobile"]
    surface: str | None
    """The surface of `answer`."""
    answer: Answer | None
    surfaces: dict[str, Answer]
    lag: LagRange | None
    """From the order to the onset of `answer`."""
    deadline: Deadline | None
    lag_words: str = ""
    """The lag in words, to be followed by "the order": `14 s after`."""
    sentence: str = ""


class ProviderCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many of a watch's providers are in which state. All but the last four add up to `providers`.

    `lifted` are also in `stopped`. `before_deadline`, `after_deadline` and `astride_deadline` (the side is not known)
    count the onsets of `stopped` and `already`.
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


def counts(providers: Sequence[ProviderEntry]) -> ProviderCounts:
    """Count entries by state and by the deadline."""
    states = [e.answer.state if e.answer else None for e in providers]
    before = [e.deadline.before for e in providers if e.deadline and e.answer and e.answer.state in _BLOCKS]
    return ProviderCounts(
        providers=len(providers),
        stopped=sum(s in STOPPED for s in states),
        already=states.count("blocked_since_before_start"),
        suspected=states.count("suspected"),
        no_block=states.count("reachable"),
        insufficient=states.count("insufficient"),
        unmeasured=states.count(None),
        lifted=states.count("lifted"),
        before_deadline=before.count(True),
        after_deadline=before.count(False),
        astride_deadline=before.count(None),
    )


def due(directive: Directive) -> DirectiveDate | None:
    """The date that onsets are compared with: the deadline to block by, else the reporting date."""
    return directive.date("block_by") or directive.date("report_by")


def headline(surfaces: Mapping[str, Answer]) -> Answer | None:
    """The answer to show for a provider: its earliest block, else its earliest suspicion, else the most data."""
    for states in (_BLOCKS, ("suspected",)):
        found = [a for a in surfaces.values() if a.state in states]
        if found:
            return min(found, key=_onset_order)
    return max(surfaces.values(), key=lambda a: a.used, default=None)


def _onset_order(answer: Answer) -> tuple[bool, str]:
    """A sorting key: blocks from before measuring began come first, those without an onset last."""
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
        lag=compliance.lag(onset, date_span(issued)) if onset and issued else None,
        deadline=_deadline(onset, limit) if onset and limit else None,
    )


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

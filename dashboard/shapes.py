"""The API's answers as the pages read them: only the fields that a page uses. Other fields are ignored.

Times are RFC 3339 UTC, spans are seconds. The API's OpenAPI document explains the fields.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class IntervalView(msgspec.Struct, frozen=True, kw_only=True):
    """When something happened. `earliest` is None if it was before the first measurement."""

    estimate: str | None
    earliest: str | None
    latest: str


class DateView(msgspec.Struct, frozen=True, kw_only=True):
    """One date of an order, as it was written, and the instants that it can mean."""

    kind: Literal["issued", "report_by", "block_by"]
    value: str
    precision: Literal["day", "minute", "second"]
    timezone: str
    wording: str
    earliest: str
    latest: str
    limit: str


class DirectiveView(msgspec.Struct, frozen=True, kw_only=True):
    """The order."""

    authority: str
    summary: str
    dates: tuple[DateView, ...]


class ProviderView(msgspec.Struct, frozen=True, kw_only=True):
    """A provider of a watch."""

    id: str
    name: str
    legal_name: str
    local_name: str
    access: str
    asns: tuple[int, ...]


class WatchView(msgspec.Struct, frozen=True, kw_only=True):
    """A watch."""

    id: str
    title: str
    service: str
    country: str
    timezone: str
    fictional: bool
    cadence_s: float
    surfaces: tuple[str, ...]
    directive: DirectiveView
    providers: tuple[ProviderView, ...]


class WatchListView(msgspec.Struct, frozen=True, kw_only=True):
    """All watches."""

    items: tuple[WatchView, ...]


class AnswerView(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one surface of a provider."""

    state: str
    pattern: str
    p_block: float
    onset: IntervalView | None
    lift: IntervalView | None
    method: str
    measurements: int
    probes: int
    lines: int
    reasons: tuple[str, ...]


class DeadlineView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an onset was before the deadline; None where the interval includes the deadline."""

    before: bool | None


class EntryView(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one provider. `answer` is None where nothing has been measured."""

    provider: str
    name: str
    access: str
    surface: str | None
    answer: AnswerView | None
    surfaces: dict[str, AnswerView]
    lag_words: str
    """How long after the order the onset was; "" where that is not known."""
    deadline: DeadlineView | None
    sentence: str


class OnsetsView(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about all providers of a watch. `as_of` is None before the first answer."""

    as_of: str | None
    headline: str
    providers: tuple[EntryView, ...]


class RevisionView(msgspec.Struct, frozen=True, kw_only=True):
    """One stored answer."""

    surface: str
    as_of: str
    model: str
    input_digest: str
    state: str
    p_block: float
    onset: str | None


class ProviderPageView(msgspec.Struct, frozen=True, kw_only=True):
    """One provider with its newest revisions."""

    entry: EntryView
    revisions: tuple[RevisionView, ...]


class ProbeView(msgspec.Struct, frozen=True, kw_only=True):
    """A probe in a series."""

    label: str
    role: Literal["probe", "reference"]


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one run."""

    at: str
    label: str
    verdict: str
    method: str
    rule: str
    evidence: str
    run_id: str


class BinView(msgspec.Struct, frozen=True, kw_only=True):
    """How many runs of one probe had which outcome, in a span of `bin_s` seconds from `start` on."""

    start: str
    label: str
    ok: int
    blocked: int
    down: int
    inconclusive: int

    def counts(self) -> dict[str, int]:
        """The number of runs by outcome."""
        return {"ok": self.ok, "blocked": self.blocked, "down": self.down, "inconclusive": self.inconclusive}


class SeriesView(msgspec.Struct, frozen=True, kw_only=True):
    """Outcomes in order of time: of single runs (`items`), or counted (`bins`). `next` is the next page's cursor."""

    surface: str
    rule_set: str
    probes: tuple[ProbeView, ...]
    items: tuple[RunView, ...]
    bin_s: float | None
    bins: tuple[BinView, ...]
    next: str | None


class RuleView(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that gives runs their outcome, and the reason for it."""

    id: str
    verdict: str
    reason: str


class RuleSetView(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one version."""

    rules: tuple[RuleView, ...]


class HealthView(msgspec.Struct, frozen=True, kw_only=True):
    """The aggregator's report about itself. Measurements up to `known_until_ms` (since the epoch) have been judged."""

    ok: bool
    nats: str = ""
    known_until_ms: int | None = None

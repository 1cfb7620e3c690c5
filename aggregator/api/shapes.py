"""The shapes of the answers under /v1. Times are RFC 3339 UTC with milliseconds, spans are seconds."""

from __future__ import annotations

from typing import Literal

import msgspec

from aggregator.answers.entry import ProviderCounts, ProviderEntry
from aggregator.judging.rule_set import Rule
from probe.base import times
from probe.protocol.measurement import Measurement
from probe.protocol.watch import DirectiveDate, Source, Watch

Outcome = Literal["ok", "blocked", "down", "inconclusive"]


class DirectiveDateShape(msgspec.Struct, frozen=True, kw_only=True):
    """One date of a directive as it was written, and the instants it can mean."""

    kind: Literal["issued", "report_by", "block_by"]
    value: str
    precision: Literal["day", "minute", "second"]
    timezone: str
    bound: Literal["inclusive", "exclusive"]
    wording: str
    earliest: str
    latest: str
    """The end of the span that the date can mean, not part of it."""
    limit: str
    """An onset before this instant is in time, by the wording's own bound."""


class DirectiveShape(msgspec.Struct, frozen=True, kw_only=True):
    """The order: who gave it, its dates, and the sources for them."""

    authority: str
    summary: str
    dates: tuple[DirectiveDateShape, ...]
    sources: tuple[Source, ...]


class ProviderShape(msgspec.Struct, frozen=True, kw_only=True):
    """A provider: a named set of networks with one access type."""

    id: str
    name: str
    legal_name: str
    local_name: str
    access: Literal["fixed", "mobile"]
    asns: tuple[int, ...]


class WatchShape(msgspec.Struct, frozen=True, kw_only=True):
    """One service watched in one country. `digest` is the SHA-256 of the watch's text."""

    id: str
    title: str
    service: str
    country: str
    timezone: str
    fictional: bool
    """True for a country invented for the lab: nothing about it is evidence."""
    cadence_s: float
    surfaces: tuple[str, ...]
    directive: DirectiveShape
    providers: tuple[ProviderShape, ...]
    digest: str


class WatchList(msgspec.Struct, frozen=True, kw_only=True):
    """All watches of this aggregator."""

    items: tuple[WatchShape, ...]


class Onsets(msgspec.Struct, frozen=True, kw_only=True):
    """All providers of a watch with their answers. `as_of` and `made` are null before the first answer."""

    watch: str
    title: str
    fictional: bool
    as_of: str | None
    """The newest answer uses everything that was received up to here."""
    made: str | None
    headline: str
    counts: ProviderCounts
    rule_set: str
    model: str
    providers: tuple[ProviderEntry, ...]


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One stored answer. It is never overwritten: late data makes a new one."""

    surface: str
    as_of: str
    made: str
    rule_set: str
    model: str
    input_digest: str
    state: str
    p_block: float
    onset: str | None


class ProviderPage(msgspec.Struct, frozen=True, kw_only=True):
    """One provider of a watch with its revisions. `next` is the cursor of the next page, null at the end."""

    watch: str
    entry: ProviderEntry
    revisions: tuple[Revision, ...]
    next: str | None


class SeriesProbe(msgspec.Struct, frozen=True, kw_only=True):
    """A probe in a series. `label` is a short name, which does not change when other probes come or go."""

    probe: str
    label: str
    line: str
    """An opaque token. Every unknown line has the same one, ""."""
    role: Literal["probe", "reference"]


class RunOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One run's outcome. `down` is a failure while references in uncensored networks failed too."""

    at: str
    received: str
    probe: str
    label: str
    line: str
    role: Literal["probe", "reference"]
    verdict: Outcome
    method: str
    rule: str
    failure: str
    share_failed: float | None
    """Of the endpoints tested; null where endpoints are not counted."""
    evidence: str
    run_id: str


class SeriesBin(msgspec.Struct, frozen=True, kw_only=True):
    """How many runs of one probe had each outcome, from `start` for the `bin_s` of the series."""

    start: str
    probe: str
    label: str
    line: str
    role: Literal["probe", "reference"]
    ok: int
    blocked: int
    down: int
    inconclusive: int


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Outcomes by probe in order of time: `items`, or `bins` where the request gave `bin`."""

    watch: str
    provider: str
    surface: str
    rule_set: str
    probes: tuple[SeriesProbe, ...]
    items: tuple[RunOutcome, ...]
    bin_s: float | None
    bins: tuple[SeriesBin, ...]
    next: str | None


class StoredVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict of one rule set on a run."""

    rule_set: str
    surface: str
    verdict: str
    rule: str
    method: str
    failure: str
    evidence: str


class StoredMeasurement(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement as its probe signed it, and the segment in which it is stored."""

    measurement_id: str
    segment_id: str
    probe: str
    provider: str
    received: str
    measurement: Measurement


class Measurements(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement or all of a run, and the verdicts on that run."""

    items: tuple[StoredMeasurement, ...]
    verdicts: tuple[StoredVerdict, ...]


class RuleSetShape(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one version, in the order in which they are tried."""

    version: str
    digest: str
    """SHA-256 of the rule set's file, hex."""
    in_force: bool
    """True for the version under which new runs are judged."""
    rules: tuple[Rule, ...]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the aggregator works."""

    ok: bool
    nats: str
    """`connected`, or what is wrong with the connection."""
    known_until_ms: int
    """All measurements received up to here are stored and judged. Milliseconds since the epoch."""
    rule_set: str
    """The version under which new runs are judged."""
    watches: tuple[str, ...]
    """Ids of the watches that the aggregator serves."""


class WhoAmI(msgspec.Struct, frozen=True, kw_only=True):
    """The network of a caller: `asn` 0 and `country` "" where the table does not hold its address."""

    asn: int
    country: str
    table_date: str


def watch_shape(watch: Watch) -> WatchShape:
    """A watch for the API, without the endpoints that probes contact."""
    directive = watch.directive
    return WatchShape(
        id=watch.id,
        title=watch.title,
        service=watch.service,
        country=watch.country,
        timezone=watch.timezone,
        fictional=watch.fictional,
        cadence_s=watch.cadence_s,
        surfaces=watch.surfaces.names(),
        directive=DirectiveShape(
            authority=directive.authority,
            summary=directive.summary,
            dates=tuple(_date_shape(d) for d in directive.dates),
            sources=directive.sources,
        ),
        providers=tuple(
            ProviderShape(
                id=p.id,
                name=p.name,
                legal_name=p.legal_name,
                local_name=p.local_name,
                access=p.access,
                asns=tuple(n.asn for n in p.networks),
            )
            for p in watch.providers
        ),
        digest=watch.digest,
    )


def _date_shape(date: DirectiveDate) -> DirectiveDateShape:
    earliest, latest, limit = (times.text(times.milliseconds(t)) for t in (*date.span(), date.limit()))
    return DirectiveDateShape(
        kind=date.kind,
        value=date.value,
        precision=date.precision,
        timezone=date.timezone,
        bound=date.bound,
        wording=date.wording,
        earliest=earliest,
        latest=latest,
        limit=limit,
    )

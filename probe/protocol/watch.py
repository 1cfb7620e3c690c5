"""A watch: one service watched in one country, and everything that a probe may contact for it.

A watch is a readable TOML file whose bytes the operator's key signs. A probe runs only a watch that is signed by the
key it trusts and has not expired, and contacts only what is listed in it.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Annotated, Literal

import msgspec

from probe.base import times

Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
"""Ids are used in URLs and in NATS subjects: lower-case letters, digits and hyphens."""


class DirectiveDate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One date of a directive, as it was written.

    `value` is a date (`2025-06-02`) for precision `day`, or a local date and time for `minute` and `second`.
    An `exclusive` bound ends before the value begins ("before 2 June"), an `inclusive` one ends when it ends.
    """

    kind: Literal["issued", "report_by", "block_by"]
    value: str
    precision: Literal["day", "minute", "second"]
    timezone: str
    bound: Literal["inclusive", "exclusive"] = "inclusive"
    wording: str = ""
    """The source's own words."""

    def span(self) -> tuple[dt.datetime, dt.datetime]:
        """The earliest and the latest instant the date can mean, as aware datetimes in UTC, end exclusive.

        A day is [its first instant, the next day's first instant) in its time zone.
        """
        zone = zoneinfo.ZoneInfo(self.timezone)
        start = dt.datetime.fromisoformat(self.value).replace(tzinfo=zone)
        if self.precision == "day":
            end = (start + dt.timedelta(days=1)).replace(tzinfo=zone)
        elif self.precision == "minute":
            end = start + dt.timedelta(minutes=1)
        else:
            end = start + dt.timedelta(seconds=1)
        return start.astimezone(dt.UTC), end.astimezone(dt.UTC)

    def limit(self) -> dt.datetime:
        """The instant that divides "in time" from "too late", by `bound`."""
        start, end = self.span()
        return start if self.bound == "exclusive" else end


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a statement is published."""

    title: str
    url: str
    read: str
    """The date it was read, `YYYY-MM-DD`."""


class Directive(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The order to block: the authority that gave it, what it says, and its dates."""

    authority: str
    summary: str
    dates: tuple[DirectiveDate, ...] = ()
    sources: tuple[Source, ...] = ()

    def date(self, kind: str) -> DirectiveDate | None:
        """The first date of a kind, or None."""
        return next((d for d in self.dates if d.kind == kind), None)


class ProviderNetwork(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An autonomous system, and the dates from and until which it belonged to the provider ("" is open)."""

    asn: int
    since: str = ""
    until: str = ""


class Provider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider: a named set of networks with one access type, under a stable id."""

    id: Id
    name: str
    access: Literal["fixed", "mobile"]
    networks: tuple[ProviderNetwork, ...]
    legal_name: str = ""
    local_name: str = ""
    upstreams: tuple[str, ...] = ()
    """Names of transit networks or gateways shared with others: a block there is not this provider's own."""
    sources: tuple[Source, ...] = ()


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One datacentre of a service's app: its address, or one for each IP version, and the ports that it answers on."""

    id: Id
    address: str
    address6: str = ""
    """Its IPv6 address if `address` is IPv4; a datacentre with IPv6 only has that as its `address`."""
    ports: tuple[int, ...]

    def addresses(self) -> tuple[str, ...]:
        """Its one or two addresses."""
        return (self.address, self.address6) if self.address6 else (self.address,)


class App(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The surface `app`: a Telegram service's datacentres, by address."""

    endpoints: tuple[Endpoint, ...]


class Web(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The surface `web`: a site by name."""

    host: str
    addresses: tuple[str, ...] = ()
    """Addresses the name is known to have; a probe may contact these and whatever the name resolves to."""
    contrast: str = ""
    """A harmless server name to send to the same address: if only the service's name fails, the name is blocked."""
    transfer: str = ""
    """The path of a file of 64 KB or more, downloaded to see how fast it comes; `control.transfer` is needed too."""
    sockets: tuple[str, ...] = ()
    """Host names of the site's WebSocket endpoints; a probe may contact whatever they resolve to."""


class Surfaces(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ways people use the service. Answers are per provider and surface."""

    app: App | None = None
    web: Web | None = None

    def names(self) -> tuple[str, ...]:
        """The surfaces that the watch has, in a fixed order."""
        return tuple(n for n in ("app", "web") if getattr(self, n) is not None)


class Control(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A site that nobody blocks, tested beside every measurement."""

    host: str
    addresses: tuple[str, ...] = ()
    canary: str = ""
    """A name that exists, but that filtering resolvers by convention deny: `use-application-dns.net`. The line's own
    resolver is asked for it; it is never contacted."""
    transfer: str = ""
    """The path of a file of 64 KB or more, with which `surfaces.web.transfer` is compared."""


class SecondResolver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A public resolver, asked over TCP beside the line's own."""

    address: str
    port: int = 53


class Watch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One service watched in one country. Times are seconds."""

    format: Literal[1] = 1
    id: Id
    title: str
    service: str
    country: str
    timezone: str
    expires: str
    """A date; a probe with an expired watch stops."""
    cadence_s: float
    timeout_s: float
    sweep_s: float = 6 * 3600.0
    """How often a probe tests everything that is listed; other runs try each datacentre in one way only."""
    dns_lag_s: float = 1200.0
    """How long resolvers go on serving an answer after it changed: the mean of the exponential delay of an onset."""
    fictional: bool = False
    """Whether the watch is of a lab's country: every page and answer says so."""
    directive: Directive
    surfaces: Surfaces
    control: Control
    second_resolver: SecondResolver
    providers: tuple[Provider, ...]
    digest: str = ""
    """SHA-256 in hex of the bytes that the watch was read from; filled in when it is read."""

    def provider_of(self, asn: int, access: str, at_ms: int) -> str:
        """The id of the provider that `asn` with `access` belonged to at `at_ms`; "" when none or several match.

        With `access` unknown, a provider matches only if no other has the ASN.
        """
        day = times.day(at_ms).isoformat()
        matching = [
            p.id
            for p in self.providers
            if access in ("unknown", p.access)
            and any(
                n.asn == asn and (not n.since or n.since <= day) and (not n.until or day <= n.until) for n in p.networks
            )
        ]
        return matching[0] if len(matching) == 1 else ""

    def allows(self, address: str, port: int) -> bool:
        """Whether the watch lists this address and port, as an endpoint, a resolver, the web site or the control."""
        if self.surfaces.app and any(address in e.addresses() and port in e.ports for e in self.surfaces.app.endpoints):
            return True
        if (address, port) == (self.second_resolver.address, self.second_resolver.port):
            return True
        web = self.surfaces.web.addresses if self.surfaces.web else ()
        return port in (80, 443) and address in (*web, *self.control.addresses)

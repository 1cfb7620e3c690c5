"""A watch: one service watched in one country, and all that a probe may contact for it.

A watch is a TOML file that a person can read. The operator's key signs its bytes; a probe runs only a watch that
is signed by the key it trusts and has not expired, and contacts only what stands in it.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Annotated, Literal

import msgspec

Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
"""Ids stand in addresses of pages and in NATS subjects: lower-case letters, digits and hyphens."""


class DirectiveDate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One date of a directive, kept as it was written.

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
        """The instant that divides "by then" from "too late", under the wording's own bound."""
        start, end = self.span()
        return start if self.bound == "exclusive" else end


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a statement was read."""

    title: str
    url: str
    read: str
    """The date it was read, `YYYY-MM-DD`."""


class Directive(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The order: who gave it to whom, and its dates."""

    authority: str
    summary: str
    dates: tuple[DirectiveDate, ...] = ()
    sources: tuple[Source, ...] = ()

    def date(self, kind: str) -> DirectiveDate | None:
        """The first date of a kind, or None."""
        return next((d for d in self.dates if d.kind == kind), None)


class ProviderNetwork(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One autonomous system, and from when to when it belonged to the provider (dates; empty is open)."""

    asn: int
    since: str = ""
    until: str = ""


class Provider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stable id for a named set of networks with one access type."""

    id: Id
    name: str
    access: Literal["fixed", "mobile"]
    networks: tuple[ProviderNetwork, ...]
    legal_name: str = ""
    local_name: str = ""
    upstreams: tuple[str, ...] = ()
    """Names of transits or gateways shared with others: a change there is not this provider's own."""
    sources: tuple[Source, ...] = ()


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One datacentre of a service's app: its address, or one of each family, and the ports that it answers on."""

    id: Id
    address: str
    address6: str = ""
    """Its IPv6 address beside an IPv4 one; a datacentre with IPv6 alone has that as its `address`."""
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
    """A harmless server name to offer at the same address: only the contrast shows that a name is what is cut."""
    transfer: str = ""
    """The path of something of 64 KB or more, to see how fast it comes; needs the control's as well."""
    sockets: tuple[str, ...] = ()
    """Host names of the site's web socket endpoints; a probe may contact whatever they resolve to."""


class Surfaces(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ways people use the service. Answers are per provider and surface."""

    app: App | None = None
    web: Web | None = None

    def names(self) -> tuple[str, ...]:
        """The surfaces that the watch has, in a fixed order."""
        return tuple(n for n in ("app", "web") if getattr(self, n) is not None)


class Control(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What nobody blocks: tested beside every measurement."""

    host: str
    addresses: tuple[str, ...] = ()
    canary: str = ""
    """A name that exists and that resolvers which filter for their users deny by custom: `use-application-dns.net`.
    Only asked for, at the line's own resolver, and never contacted."""
    transfer: str = ""
    """The path of something of 64 KB or more: the measure for `surfaces.web.transfer`."""


class SecondResolver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The second path for DNS: a public resolver asked over TCP."""

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
    """How often a probe tests everything that is listed; the runs between test one way to each datacentre."""
    dns_lag_s: float = 1200.0
    """How long resolvers may go on serving an answer after it changed: the Exp mean of the onset's delay."""
    fictional: bool = False
    """True for a lab's country: every page and answer says so."""
    directive: Directive
    surfaces: Surfaces
    control: Control
    second_resolver: SecondResolver
    providers: tuple[Provider, ...]
    digest: str = ""
    """SHA-256 of the bytes it was read from; filled on reading."""

    def provider_of(self, asn: int, access: str, at_ms: int) -> str:
        """The id of the provider that `asn` with `access` belonged to at `at_ms`; "" where none or two fit.

        Unknown access fits only where one provider alone has the ASN.
        """
        day = dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).date().isoformat()
        fits = [
            p.id
            for p in self.providers
            if access in ("unknown", p.access)
            and any(
                n.asn == asn and (not n.since or n.since <= day) and (not n.until or day <= n.until) for n in p.networks
            )
        ]
        return fits[0] if len(fits) == 1 else ""

    def allows(self, address: str, port: int) -> bool:
        """Whether a probe may contact this address for a named endpoint, resolver or control."""
        if self.surfaces.app and any(address in e.addresses() and port in e.ports for e in self.surfaces.app.endpoints):
            return True
        if (address, port) == (self.second_resolver.address, self.second_resolver.port):
            return True
        web = self.surfaces.web.addresses if self.surfaces.web else ()
        return port in (80, 443) and address in (*web, *self.control.addresses)

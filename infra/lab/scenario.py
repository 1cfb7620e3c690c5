"""Scenarios: a country, its providers and what they do, as TOML files in `scenarios/`.

A scenario holds the truth: which provider blocks, when and how. The watch made from it (`infra.lab.watch`) does not,
so nothing that measures, stores or infers can read the truth.
"""

from __future__ import annotations

import ipaddress
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from infra.lab.interference import methods
from probe.base.errors import UserError
from probe.protocol.watch import Control, Id, SecondResolver, Surfaces

FOLDER = Path(__file__).with_name("scenarios")
DOCUMENTATION_NETS = tuple(map(ipaddress.ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")))
"""RFC 5737: addresses reserved for documentation."""
RESERVED_NAMES = (".example", ".test")
"""RFC 6761: names that are never registered."""
PRIVATE_ASNS = range(64512, 65534)
"""RFC 6996: AS numbers for private use."""
ABROAD_ASN = 65534
"""The last private AS number: the uncensored network abroad, where the references are."""


class ScenarioError(UserError):
    """A scenario that doesn't exist or is invalid; the message names the file and the key."""


class ScenarioBlock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider's block. Times are seconds after zero; without a lift it lasts."""

    method: str
    onset_s: float
    lift_s: float | None = None
    endpoints: tuple[str, ...] = ()
    """For a partial block: the app's endpoints that it concerns; no other surface is blocked then."""

    @property
    def surfaces(self) -> tuple[str, ...]:
        """The surfaces that are blocked."""
        return ("app",) if self.endpoints else methods()[self.method].surfaces


class Outage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A period, in seconds after zero, in which nothing works on a provider, controls included."""

    start_s: float
    end_s: float


class Flaky(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line that loses the traffic to the service for a random share of the time."""

    line: int
    """Counted from 1."""
    share: Annotated[float, msgspec.Meta(gt=0, lt=1)]


class ScenarioProvider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider and what really happens there."""

    id: Id
    name: str
    access: Literal["fixed", "mobile"]
    asn: int
    lines: Annotated[int, msgspec.Meta(ge=1, le=16)]
    """Number of subscribers' lines, with a probe on each."""
    block: ScenarioBlock | None = None
    outage: Outage | None = None
    flaky: Flaky | None = None


class ScenarioDate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A date of the directive, in seconds after zero."""

    kind: Literal["issued", "report_by", "block_by"]
    at_s: float
    wording: str = ""


class ScenarioOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The directive. Its dates are relative to zero."""

    authority: str
    summary: str
    dates: tuple[ScenarioDate, ...] = ()


class BlockServer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The server that forged DNS answers point to: it shows the block page, with a certificate of its own."""

    host: str
    address: str


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A country. Times are seconds."""

    format: Literal[1]
    name: str = ""
    """The file's name without its extension; set by `read`."""
    title: str
    stands_for: str
    notes: tuple[str, ...] = ()
    """Where the lab differs from a real network, in plain words."""
    service: str
    country: str
    timezone: str
    cadence_s: float
    timeout_s: float
    dns_lag_s: float
    sweep_s: float = 21600.0
    """How often a probe tests everything; its other runs are light."""
    runs_s: float
    """How long the scenario takes until everything has happened and been measured."""
    references: Annotated[int, msgspec.Meta(ge=0, le=4)] = 1
    """Number of probes in the uncensored network abroad."""
    seed: int = 0
    surfaces: Surfaces
    control: Control
    second_resolver: SecondResolver
    block_server: BlockServer
    directive: ScenarioOrder
    providers: tuple[ScenarioProvider, ...]

    def provider(self, provider_id: str) -> ScenarioProvider | None:
        """The provider of that id, or None."""
        return next((p for p in self.providers if p.id == provider_id), None)


def names() -> tuple[str, ...]:
    """The names of the shipped scenarios, sorted."""
    return tuple(sorted(p.stem for p in FOLDER.glob("*.toml")))


def load(name: str) -> Scenario:
    """A shipped scenario by its name, or any scenario by the path of its file. Raises ScenarioError."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not name.endswith(".toml") and name not in names():
        known = ", ".join(names())
        raise ScenarioError(f"there is no scenario {name!r}. Known are {known}. Or give a path that ends in .toml.")
    try:
        raw = path.read_bytes()
    except OSError as e:
        raise ScenarioError(f"scenario {path} can't be read: {e.strerror}") from e
    return read(raw, path.stem, str(path))


def read(raw: bytes, name: str, source: str) -> Scenario:
    """Parse a scenario's bytes; `source` names them in errors. Raises ScenarioError."""
    try:
        scenario = msgspec.convert(tomllib.loads(raw.decode()), Scenario)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise ScenarioError(f"{source}: not a TOML file: {e}") from e
    except msgspec.ValidationError as e:
        raise ScenarioError(f"{source}: {e}") from e
    problem = _bad_times(scenario) or _bad_providers(scenario) or _not_reserved(scenario)
    if problem:
        raise ScenarioError(f"{source}: {problem}")
    return msgspec.structs.replace(scenario, name=name)


def _bad_times(s: Scenario) -> str:
    """What is wrong with the times, naming the key; "" if nothing."""
    if not s.cadence_s > 0:
        return "cadence_s: must be above 0"
    if not 0 < s.timeout_s <= s.cadence_s / 2:
        return "timeout_s: must be above 0 and at most half of cadence_s"
    for p in s.providers:
        if p.block and p.block.lift_s is not None and p.block.lift_s <= p.block.onset_s:
            return f"providers, {p.id}, block.lift_s: must be after onset_s"
        if p.outage and p.outage.end_s <= p.outage.start_s:
            return f"providers, {p.id}, outage.end_s: must be after start_s"
    return ""


def _bad_providers(s: Scenario) -> str:
    """What is wrong with the providers, naming the provider and the key; "" if nothing."""
    ids = [p.id for p in s.providers]
    duplicate = next((i for i in ids if ids.count(i) > 1), "")
    if duplicate:
        return f"providers: the id {duplicate!r} occurs twice"
    if not ids:
        return "providers: there are none"
    endpoints = [e.id for e in s.surfaces.app.endpoints] if s.surfaces.app else []
    for p in s.providers:
        if p.flaky and not 1 <= p.flaky.line <= p.lines:
            return f"providers, {p.id}, flaky.line: there is no line {p.flaky.line}"
        if not p.block:
            continue
        row = methods().get(p.block.method)
        if row is None:
            return f"providers, {p.id}, block.method: unknown {p.block.method!r}; known: {', '.join(methods())}"
        unknown = next((e for e in p.block.endpoints if e not in endpoints), "")
        if unknown:
            return f"providers, {p.id}, block.endpoints: surfaces.app has no endpoint {unknown!r}"
        if p.block.endpoints and "app" not in row.surfaces:
            return f"providers, {p.id}, block.endpoints: {p.block.method} doesn't block the app"
    return ""


def _not_reserved(s: Scenario) -> str:
    """The first address, name or AS number that could be a real one, naming its key; "" if there is none."""
    web, app = s.surfaces.web, s.surfaces.app
    addresses = [("control.addresses", a) for a in s.control.addresses]
    addresses += [
        ("second_resolver.address", s.second_resolver.address),
        ("block_server.address", s.block_server.address),
    ]
    hosts = [("control.host", s.control.host), ("block_server.host", s.block_server.host)]
    if app:
        addresses += [("surfaces.app.endpoints", a) for e in app.endpoints for a in e.addresses()]
    if web:
        addresses += [("surfaces.web.addresses", a) for a in web.addresses]
        hosts += [("surfaces.web.host", web.host), ("surfaces.web.contrast", web.contrast or "none.example")]
        hosts += [("surfaces.web.sockets", host) for host in web.sockets]
    for key, text in addresses:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return f"{key}: {text!r} is not an address"
        if not any(address in net for net in DOCUMENTATION_NETS):
            return f"{key}: {text} is outside the documentation networks {', '.join(map(str, DOCUMENTATION_NETS))}"
    for key, host in hosts:
        if not host.endswith(RESERVED_NAMES):
            return f"{key}: {host!r} must end in {' or '.join(RESERVED_NAMES)}"
    for p in s.providers:
        if p.asn not in PRIVATE_ASNS:
            return f"providers, {p.id}, asn: {p.asn} is not in {PRIVATE_ASNS.start}-{PRIVATE_ASNS.stop - 1}"
    return ""

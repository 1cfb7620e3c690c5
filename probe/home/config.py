"""A probe's configuration: a TOML file, whose values the environment overrides.

`BLOCKONSET_PROBE_NATS` sets the key `nats`, `BLOCKONSET_PROBE_VANTAGE_ASN` the key `asn` in the table `[vantage]`, and
so on; several URLs are separated by commas. Paths in a file are relative to that file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from probe.base import settings
from probe.base.environment import prefix
from probe.base.errors import UserError
from probe.home import files
from probe.protocol import keys
from probe.protocol.collector_urls import SCHEMES

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = prefix("probe")
_PATHS = ("data", "watch", "nats_ca", "prefixes")

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
DELIVER_EVERY_S = 2700.0
"""The default of `Config.deliver_every_s`."""


class VantageConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the configuration declares about the network that the probe is in."""

    role: Literal["probe", "reference"] = "probe"
    """`reference`: the same program in an uncensored network."""
    asn: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    """The network's AS number; 0 is unknown, and then `whoami` is asked."""
    country: str = ""
    access: Literal["fixed", "mobile", "unknown"] = "unknown"
    line: Annotated[str, Meta(max_length=128)] = ""
    """A word for the subscriber's line: probes that share a line must have the same one."""
    line_kind: Literal["home", "hotspot", "work", "campus", "server", "unknown"] = "unknown"
    whoami: str = ""
    """URL of the operator's `GET /v1/whoami`, which answers with the network's number."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting of a probe. Times are in seconds."""

    data: str
    """Directory of the probe's key and spool; made if it is missing."""
    nats: tuple[str, ...]
    """URLs of the operator's collectors, tried in turn: put tls:// first, and wss:// after it."""
    nats_ca: str = ""
    """File with the certificate authorities for the collectors; "" uses those that this machine trusts."""
    operator: str
    """The operator's public key, `O…`. Watches and receipts that it signed are trusted."""
    watch: str
    """File of the signed watch."""
    deliver_every_s: Annotated[float, Meta(ge=0, le=86_400)] = DELIVER_EVERY_S
    """About how often the probe connects to deliver; 0 keeps a connection open and delivers at once."""
    receipt_wait_s: Seconds = 10.0
    """How long a connection that was made to deliver waits for receipts. Missing ones are asked for next time."""
    seal_s: Annotated[float, Meta(gt=0, le=60)] = 60.0
    """How long a measurement waits for others before its segment is sealed."""
    receipt_timeout_s: Seconds = 60.0
    """After how long without a receipt the collector is asked what became of a segment."""
    ack_timeout_s: Seconds = 10.0
    """How long NATS may take to acknowledge a segment."""
    flush_s: Seconds = 10.0
    """How long the probe goes on delivering and waiting for receipts after it was told to stop."""
    reconnect_most_s: Seconds = 30.0
    """The longest pause between two attempts to reach NATS or to deliver."""
    spool_mb: Annotated[int, Meta(ge=1)] = 256
    """How large the spool may grow, in MB; when it is full the probe stops measuring."""
    spool_days: Annotated[float, Meta(gt=0, le=365)] = 30.0
    """How many days the oldest undelivered segment may wait; then the probe stops measuring until it is delivered."""
    monthly_mb: Annotated[int, Meta(ge=0)] = 0
    """How many MB measuring and delivering may use in a month, as estimated on the network; 0 is no limit."""
    metered: Literal["auto", "yes", "no"] = "auto"
    """Whether the connection is paid by volume: then the probe pauses. `auto` asks NetworkManager, if it runs."""
    prefixes: str = ""
    """File of the operator's prefix table, from which the probe knows whose resolver the line uses; "" for none."""
    api: str = ""
    """URL of the operator's public API. Only the commands `status` and `doctor` contact it."""
    language: str = ""
    """Language of messages, such as en or vi; "" takes it from the environment (LANG)."""
    accept_risk: str = ""
    """The version of the consent text that the owner has accepted, where `blockonset probe setup` can't ask."""
    vantage: VantageConfig = VantageConfig()

    @property
    def key_file(self) -> Path:
        """The probe's key file."""
        return Path(self.data) / files.KEY

    @property
    def spool_file(self) -> Path:
        """The probe's spool file."""
        return Path(self.data) / files.SPOOL

    @property
    def ca_file(self) -> Path | None:
        """The file of the collectors' certificate authorities; None for this machine's own."""
        return Path(self.nats_ca) if self.nats_ca else None


def load(path: Path | None, environment: Mapping[str, str] = os.environ) -> Config:
    """The configuration in a file, or, for None, in the environment alone. Variables take precedence over the file.

    Raises UserError that names the file or variable, the key and what is wrong.
    """
    table = settings.of_file(path, Config, _PATHS) if path else {}
    variables = settings.of_environment(environment, Config, PREFIX)
    lacking = [
        f"{PREFIX}{f.name.upper()}" for f in msgspec.structs.fields(Config) if f.required and f.name not in variables
    ]
    if not path and lacking:
        raise UserError(
            f"no probe is set up here ({files.directory() / files.CONFIG} does not exist): run blockonset probe setup"
            + (f", or set {', '.join(lacking)} too" if variables else "")
        )
    source = f"config {path}" if path else f"environment {PREFIX}…"
    config = settings.complete(settings.merged(table, variables), Config, source)
    if problem := _problem(config):
        raise UserError(f"{source}: {problem}")
    return config


def probe_variables() -> list[str]:
    """Every environment variable that a probe reads, besides those that every command reads."""
    return [*settings.variables(Config, PREFIX), files.HOME_VARIABLE, files.CONFIG_VARIABLE]


def _problem(config: Config) -> str:
    """What is wrong with the values of a configuration, naming the key; "" when nothing is."""
    if not config.nats:
        return "nats: no URL is given"
    for url in config.nats:
        if not url.startswith(SCHEMES):
            return f"nats: {url!r} must begin with one of {', '.join(SCHEMES)}"
    if not keys.is_id(config.operator, "operator"):
        return f"operator: {config.operator!r} is not an operator's public key (O…, 56 characters)"
    if config.vantage.asn and config.vantage.whoami:
        return "vantage: give asn or whoami, not both"
    return ""

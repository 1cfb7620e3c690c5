"""A probe's configuration: a TOML file, and the environment over it.

`BLOCKONSET_NATS` stands for the key `nats`, `BLOCKONSET_VANTAGE_ASN` for `asn` in the table `[vantage]`, and so on;
several URLs are parted by commas. Paths in a file are relative to that file.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from probe.base.errors import UserError
from probe.protocol import keys
from probe.protocol.collector_urls import SCHEMES

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = "BLOCKONSET_"
_PATHS = ("data", "watch", "nats_ca", "prefixes")

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
DELIVER_EVERY_S = 2700.0


class VantageConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The network this probe is in, as far as it is declared here."""

    role: Literal["probe", "reference"] = "probe"
    """`reference`: the same program in a network that nobody censors."""
    asn: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    """The network's number; 0 is unknown, and then `whoami` is asked."""
    country: str = ""
    access: Literal["fixed", "mobile", "unknown"] = "unknown"
    line: Annotated[str, Meta(max_length=128)] = ""
    """A word for the subscriber's line: probes that share a line must have the same."""
    line_kind: Literal["home", "hotspot", "work", "campus", "server", "unknown"] = "unknown"
    whoami: str = ""
    """URL of the operator's `GET /v1/whoami`, which tells the network's number."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that can be set for a probe. Times are seconds."""

    data: str
    """Directory of the probe's key and spool; made where there is none."""
    nats: tuple[str, ...]
    """URLs of the operator's collectors, tried in turn: put tls:// first, and wss:// after it."""
    nats_ca: str = ""
    """File of the certificate authorities that vouch for the collectors; "" is those this machine trusts."""
    operator: str
    """The operator's public key, `O…`: whose watches and receipts are trusted."""
    watch: str
    """File of the signed watch."""
    deliver_every_s: Annotated[float, Meta(ge=0, le=86_400)] = DELIVER_EVERY_S
    """About how often the probe connects, only to deliver; 0 is a standing connection that delivers at once."""
    receipt_wait_s: Seconds = 10.0
    """How long a connection that was made to deliver waits for receipts. Later ones are asked for next time."""
    seal_s: Annotated[float, Meta(gt=0, le=60)] = 60.0
    """How long a measurement waits for others before its segment is sealed."""
    receipt_timeout_s: Seconds = 60.0
    """After how long without a receipt a segment is asked for."""
    ack_timeout_s: Seconds = 10.0
    """How long NATS may take to acknowledge a segment."""
    flush_s: Seconds = 10.0
    """How long the probe, told to stop, goes on delivering and waits for receipts."""
    reconnect_most_s: Seconds = 30.0
    """The longest pause between two tries to reach NATS or to deliver."""
    spool_mb: Annotated[int, Meta(ge=1)] = 256
    """How large the spool may grow; when it is full the probe stops measuring."""
    spool_days: Annotated[float, Meta(gt=0, le=365)] = 30.0
    """How long the oldest undelivered segment may wait; then the probe stops measuring until it is delivered."""
    monthly_mb: Annotated[int, Meta(ge=0)] = 0
    """What measuring and delivering may take in a month, as estimated on the wire; 0 is no limit."""
    metered: Literal["auto", "yes", "no"] = "auto"
    """Whether the connection is paid by use: then the probe pauses. `auto` asks NetworkManager, where there is one."""
    prefixes: str = ""
    """File of the operator's prefix table: it tells whose resolver the line uses. "" goes without."""
    api: str = ""
    """URL of the operator's public API. Only `status` and `doctor` ask it, and only when somebody calls them."""
    language: str = ""
    """Of messages, such as en or vi; "" follows the environment's LANG."""
    accept_risk: str = ""
    """The version of the consent text that was read and accepted, where `blockonset probe setup` can't ask."""
    vantage: VantageConfig = VantageConfig()

    @property
    def key_file(self) -> Path:
        """Where the probe's key is."""
        return Path(self.data) / "probe.key"

    @property
    def spool_file(self) -> Path:
        """Where the probe's spool is."""
        return Path(self.data) / "spool.db"

    @property
    def ca_file(self) -> Path | None:
        """Where the collectors' certificate authorities are, unless this machine's are meant."""
        return Path(self.nats_ca) if self.nats_ca else None


def load(path: Path | None, environment: Mapping[str, str] = os.environ) -> Config:
    """The configuration from a file, if there is one, and the environment.

    Raises UserError that names the file or the variable, and the key.
    """
    table = _file(path) if path else {}
    source = f"config {path}" if path else "environment"
    for name, value in _variables(Config, _PREFIX, environment).items():
        table[name] = {**table.get(name, {}), **value} if isinstance(value, dict) else value
    try:
        config = msgspec.convert(table, Config)
    except msgspec.ValidationError as e:
        raise UserError(f"{source}: {e}") from e
    problem = _problem(config)
    if problem:
        raise UserError(f"{source}: {problem}")
    return config


def _file(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise UserError(f"config {path}: can't be read: {e.strerror}") from e
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise UserError(f"config {path}: not a TOML file: {e}") from e
    for key in _PATHS:
        if isinstance(table.get(key), str) and table[key]:
            table[key] = str(path.absolute().parent / table[key])
    return table


def _variables(shape: type[msgspec.Struct], prefix: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """What the environment says about the fields of a struct, and of the structs in it."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(shape):
        name = prefix + field.name.upper()
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            if inner := _variables(field.type, name + "_", environment):
                found[field.name] = inner
        elif name in environment:
            text = environment[name]
            value = [u.strip() for u in text.split(",") if u.strip()] if field.name == "nats" else text
            try:
                found[field.name] = msgspec.convert(value, field.type, strict=False)
            except msgspec.ValidationError as e:
                raise UserError(f"environment {name}: {e}") from e
    return found


def _problem(config: Config) -> str:
    """What is wrong with a configuration of the right shape, naming the key; "" when nothing is."""
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

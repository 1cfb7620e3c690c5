"""The aggregator's settings: from the command line, else the environment, else a TOML file, else the defaults.

`BLOCKONSET_AGGREGATOR_NATS` sets the key `nats`, and so on. Relative paths in a file are relative to that file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from probe.base import settings
from probe.base.environment import prefix
from probe.base.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = prefix("aggregator")
CONFIG_VARIABLE = f"{PREFIX}CONFIG"
_PATHS = ("data", "watch", "key", "operator_key", "prefixes")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting."""

    data: Path | None = None
    """Directory of the store and the keys that are not given themselves; created if missing."""
    nats: tuple[str, ...] = ("nats://127.0.0.1:4222",)
    """URLs of the NATS server, tried in turn."""
    store: str
    """`chdb:///absolute/path` or `http(s)://user:password@host:port/database`. Default: `store` in `data`."""
    watch: tuple[Path, ...] = ()
    """Files of watches to serve, signed or not, in addition to those that the store served before."""
    key: Path
    """File of the aggregator's NATS user key; created if missing. Default: `aggregator.key` in `data`."""
    operator_key: Path
    """File of the key that signs receipts, which probes are configured to trust; created if missing.

    Default: `operator.key` in `data`.
    """
    api_port: Annotated[int, Meta(ge=0, le=65535)] = 8601
    """TCP port of the API on 127.0.0.1; 0 picks a free one."""
    prefixes: Path | None = None
    """File of the operator's prefix table, for `GET /v1/whoami`."""
    stream_max_bytes: Annotated[int, Meta(ge=1 << 20)] = 4 << 30
    """Most bytes that NATS holds, as while the store is away; once it is full, probes keep what they have."""
    gather_s: Annotated[float, Meta(gt=0, le=10)] = 1.0
    """How long a batch is gathered, in seconds."""


def load(file: Path | None = None, environment: Mapping[str, str] = os.environ, **options: object) -> Settings:
    """The settings. `options` are those of the command line, by key; None and () were not given.

    Raises UserError that names the file and key, the variable or the option.
    """
    file = _file(file, environment)
    table = _table(file, environment, options)
    for key in ("store", "key", "operator_key"):
        _require(table, key, file)
    return settings.complete(table, Settings, f"config {file}" if file else "settings")


def store_dsn(file: Path | None = None, environment: Mapping[str, str] = os.environ, **options: object) -> str:
    """The setting `store` alone, for commands that need nothing else. Raises UserError as `load` does."""
    file = _file(file, environment)
    table = _table(file, environment, options)
    _require(table, "store", file)
    return str(table["store"])


def aggregator_variables() -> list[str]:
    """Every environment variable that an aggregator reads, besides those that every command reads."""
    return [*settings.variables(Settings, PREFIX), CONFIG_VARIABLE]


def _file(given: Path | None, environment: Mapping[str, str]) -> Path | None:
    if given is None and (chosen := environment.get(CONFIG_VARIABLE)):
        return Path(chosen)
    return given


def _table(file: Path | None, environment: Mapping[str, str], options: Mapping[str, object]) -> dict[str, Any]:
    """What is set, by key, and the places in `data` where nothing else is said."""
    table = settings.merged(
        settings.of_file(file, Settings, _PATHS) if file else {},
        settings.of_environment(environment, Settings, PREFIX),
        settings.of_options(options, Settings),
    )
    if not table.get("data"):
        return table
    data = Path(table["data"]).absolute()
    places = {
        "store": f"chdb://{data / 'store'}",
        "key": str(data / "aggregator.key"),
        "operator_key": str(data / "operator.key"),
    }
    return {**places, **table}


def _require(table: Mapping[str, Any], key: str, file: Path | None) -> None:
    if key not in table:
        option, source = f"--{key.replace('_', '-')}", f"config {file}: " if file else ""
        raise UserError(
            f"{source}the setting {key} is missing: give --data DIR, a directory for the store and the keys "
            f"(or {PREFIX}DATA, or data in the configuration file), or give {option}"
        )

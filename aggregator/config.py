"""The aggregator's settings: from the command line, else from the environment (`BLOCKONSET_STORE` …), else as here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from probe.base.errors import UserError

_HOME = Path(".blockonset").absolute()

_Names = Annotated[tuple[str, ...], NoDecode]
_Files = Annotated[tuple[Path, ...], NoDecode]


class Settings(BaseSettings):
    """All that can be set. Lists in the environment are parted by commas."""

    model_config = SettingsConfigDict(env_prefix="BLOCKONSET_", frozen=True, extra="ignore")

    nats: _Names = ("nats://127.0.0.1:4222",)
    """URLs of the NATS server, tried in turn."""
    store: str = f"chdb://{_HOME / 'store'}"
    """`chdb:///absolute/path` or `http(s)://user:password@host:port/database`."""
    watch: _Files = ()
    """Watches to serve, signed or not; those that the store served before are served in any case."""
    key: Path = _HOME / "aggregator.key"
    """The key by which NATS knows the aggregator."""
    operator_key: Path = _HOME / "operator.key"
    """The key that signs receipts: the one that probes trust."""
    api_port: int = Field(default=8601, ge=0, le=65535)
    """Where the API listens on loopback; 0 picks a free port."""
    prefixes: Path | None = None
    """The operator's prefix table, for `GET /v1/whoami`."""
    stream_max_bytes: int = Field(default=4 << 30, ge=1 << 20)
    """How much NATS holds while the store is away; beyond it, probes keep what they have."""
    gather_s: float = Field(default=1.0, gt=0, le=10)
    """How long a batch is gathered, in seconds."""

    @field_validator("nats", "watch", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(v.strip() for v in value.split(",") if v.strip()) if isinstance(value, str) else value


def load(**given: Any) -> Settings:
    """The settings, with those given on the command line (None: not given) over all others.

    Raises UserError naming the key that is wrong.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value not in (None, ())})
    except ValidationError as e:
        first = e.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UserError(f"setting {key} (BLOCKONSET_{key.split('.')[0].upper()}): {first['msg']}") from e

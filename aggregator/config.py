"""The aggregator's settings: from the command line, else the environment (`BLOCKONSET_STORE` …), else the defaults."""

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
    """Every setting. A list in the environment is separated by commas."""

    model_config = SettingsConfigDict(env_prefix="BLOCKONSET_", frozen=True, extra="ignore")

    nats: _Names = ("nats://127.0.0.1:4222",)
    """URLs of the NATS server, tried in turn."""
    store: str = f"chdb://{_HOME / 'store'}"
    """`chdb:///absolute/path` or `http(s)://user:password@host:port/database`."""
    watch: _Files = ()
    """Files of watches to serve, signed or not, in addition to those that the store served before."""
    key: Path = _HOME / "aggregator.key"
    """File of the aggregator's NATS user key; created if missing."""
    operator_key: Path = _HOME / "operator.key"
    """File of the key that signs receipts, which probes are configured to trust; created if missing."""
    api_port: int = Field(default=8601, ge=0, le=65535)
    """TCP port of the API on 127.0.0.1; 0 picks a free one."""
    prefixes: Path | None = None
    """File of the operator's prefix table, for `GET /v1/whoami`."""
    stream_max_bytes: int = Field(default=4 << 30, ge=1 << 20)
    """Most bytes that NATS holds, as while the store is away; once it is full, probes keep what they have."""
    gather_s: float = Field(default=1.0, gt=0, le=10)
    """How long a batch is gathered, in seconds."""

    @field_validator("nats", "watch", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(v.strip() for v in value.split(",") if v.strip()) if isinstance(value, str) else value


def load(**given: Any) -> Settings:
    """The settings; those in `given` that are not None or () come first.

    Raises UserError that names the setting that is wrong.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value not in (None, ())})
    except ValidationError as e:
        first = e.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UserError(f"setting {key} (BLOCKONSET_{key.split('.')[0].upper()}): {first['msg']}") from e

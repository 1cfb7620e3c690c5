"""A store's address: `chdb:///absolute/path` (embedded) or `http(s)://user:password@host:port/database` (a server)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from probe.base import extras
from probe.base.errors import UserError

Connect = Callable[[dict[str, Any]], Client]
"""Opens one more connection to a store, with these ClickHouse settings."""

DEFAULT_DATABASE = "blockonset"


def printable(dsn: str) -> str:
    """A DSN without its user and password."""
    scheme, separator, rest = dsn.partition("://")
    netloc, slash, path = rest.partition("/")
    return scheme + separator + netloc.rpartition("@")[2] + slash + path


def embedded_directory(dsn: str) -> Path | None:
    """The directory of an embedded store; None for any other DSN."""
    parts = urlsplit(dsn)
    if parts.scheme == "chdb" and not parts.netloc and parts.path not in ("", "/"):
        return Path(unquote(parts.path))
    return None


def connector(dsn: str, *, create: bool) -> Connect:
    """A function that opens connections to a store. With `create` a server's database is made when missing.

    Raises UserError for a malformed DSN, ClickHouseError for a server that doesn't answer.
    """
    if directory := embedded_directory(dsn):
        return partial(_embedded, str(directory))
    parts = urlsplit(dsn)
    if parts.scheme in ("http", "https") and parts.hostname:
        return _server(dsn, parts, create=create)
    raise UserError(f"store {printable(dsn)}: not chdb:///absolute/path or http(s)://host:port/database")


def _embedded(path: str, settings: dict[str, Any]) -> Client:
    with extras.named("an embedded store (chdb://)"):
        return clickhouse_connect.get_client(interface="chdb", path=path, settings=settings)


def _server(dsn: str, parts: SplitResult, *, create: bool) -> Connect:
    database = unquote(parts.path.strip("/")) or DEFAULT_DATABASE
    connect = partial(
        clickhouse_connect.get_client,
        dsn=dsn,
        interface=parts.scheme,
        autogenerate_session_id=False,  # the queries of one session can't run at the same time
    )
    if create:
        first = connect(database="default")
        try:
            first.command("CREATE DATABASE IF NOT EXISTS {database:Identifier}", parameters={"database": database})
        finally:
            first.close()
    return lambda settings: connect(database=database, settings=settings)

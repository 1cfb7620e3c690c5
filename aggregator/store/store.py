"""The store: the only place that opens ClickHouse. Embedded (`chdb:///path`) and server (`http://…`) are one code path.

What can be asked is named: a read or a command is a file in aggregator/store/queries with bound parameters, and nobody
outside this file writes SQL, except the rules, which are data. All calls block: call them in threads.
"""

from __future__ import annotations

import logging
import queue
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import SplitResult, unquote, urlsplit

import clickhouse_connect
import numpy as np
import numpy.typing as npt
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from aggregator.store import migrate
from aggregator.store.lock import StoreLock
from probe.base.errors import UserError

_Connect = Callable[[dict[str, Any]], Client]
"""Opens one handle with these settings."""

READERS = 4
"""Read handles. A handle serialises its queries, so this many reads run at once."""

READ_LIMITS: dict[str, Any] = {
    "max_execution_time": 20,
    "max_memory_usage": 2 << 30,
    "max_threads": 2,
    "readonly": 1,  # last: nothing can be set after it
}
WRITE_SETTINGS: dict[str, Any] = {
    "max_insert_block_size": 1 << 20,  # one insert is one block
    "async_insert": 0,  # an insert that returned is on disk
    "insert_deduplicate": 0,  # ids are looked up first; deduplication by block loses acknowledged batches
    "optimize_and_compare_chain": 0,  # takes 5 ms for every AND in the rules, and has nothing to find there
    "query_plan_merge_expressions": 0,  # makes one list of the facts' six levels: 30 ms of planning for no gain
}

for _library in ("clickhouse_connect", "urllib3"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)  # what they log they also raise
_TEXT = {"FixedString": "string"}
_BYTES = {"FixedString": "string", "String": "bytes"}
_QUERIES = Path(__file__).parent / "queries"
_WAIT_S = 30.0
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")


class StoreError(Exception):
    """The store did not do what it was asked: it is gone, busy, or a limit was passed. Trying again may help."""


class Store:
    """One open store. Reads may come from many threads; writes wait for each other.

    Times go in as integer milliseconds and come back as the query says; fixed strings come back as text.
    """

    def __init__(self, connect: _Connect, lock: StoreLock | None) -> None:
        """Use `open`."""
        self._connect = connect
        self._lock = lock
        self._writing = threading.Lock()
        self._writer = connect(WRITE_SETTINGS)
        self._readers: queue.LifoQueue[Client | None] = queue.LifoQueue()
        for _ in range(READERS):
            self._readers.put(None)

    @classmethod
    def open(cls, dsn: str) -> Self:
        """Open a store, and bring its tables to this version.

        `dsn`: `chdb:///absolute/path`, or `http(s)://user:password@host:port/database`, made when missing.
        Raises UserError for a store that can't be opened: an address that doesn't answer, a directory that can't be
        used or that another process holds, a store made by a newer version.
        """
        name, lock = shown(dsn), _lock(dsn)
        try:
            store = cls(_connector(dsn), lock)
            try:
                migrate.migrate(store._writer, name)
            except BaseException:
                store.close()
                raise
        except BaseException as e:
            if lock:
                lock.release()
            if isinstance(e, OperationalError):
                raise UserError(f"store {name}: does not answer. Start ClickHouse there, or name another store.") from e
            if isinstance(e, ClickHouseError):
                raise UserError(f"store {name}: can't be opened: {_first_line(e)}") from e
            raise
        return store

    def close(self) -> None:
        """Close every handle, and let go of the directory. Waits for what is running."""
        with self._writing:
            self._writer.close()
        for _ in range(READERS):
            reader = self._readers.get()
            if reader is not None:
                reader.close()
        if self._lock:
            self._lock.release()

    # -- reading

    def read(self, name: str, **parameters: Any) -> list[dict[str, Any]]:
        """Run a named read; the rows as dicts. Raises StoreError."""
        with self._reading(name) as reader:
            result = reader.query(text(name), parameters=parameters, query_formats=_TEXT)
        return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]

    def columns(self, name: str, **parameters: Any) -> dict[str, npt.NDArray[Any]]:
        """Run a named read; its columns by name, as numpy arrays of equal length, or {} where no row was found.

        Raises StoreError.
        """
        with self._reading(name) as reader:
            result = reader.query(text(name), parameters=parameters, query_formats=_TEXT)
        return {n: np.asarray(c) for n, c in zip(result.column_names, result.result_columns, strict=True)}

    def blobs(self, name: str, **parameters: Any) -> list[dict[str, Any]]:
        """Run a named read whose texts are bytes, as the raw envelopes are: every String comes back as bytes."""
        with self._reading(name) as reader:
            result = reader.query(text(name), parameters=parameters, query_formats=_BYTES)
        return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]

    @contextmanager
    def _reading(self, what: str) -> Iterator[Client]:
        try:
            reader = self._readers.get(timeout=_WAIT_S)
        except queue.Empty:
            raise StoreError(f"{what}: all {READERS} readers were busy for {_WAIT_S:.0f} s") from None
        try:
            reader = reader or self._connect(READ_LIMITS)
            yield reader
        except ClickHouseError as e:
            raise StoreError(f"{what}: {_first_line(e)}") from e
        finally:
            self._readers.put(reader)

    # -- writing

    def insert(self, table: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Insert equal-length columns as one block. Nothing is inserted where there are no rows. Raises StoreError."""
        if not any(len(c) for c in columns.values()):
            return
        with self._writes(table) as writer:
            writer.insert(table, list(columns.values()), column_names=list(columns), column_oriented=True)

    def insert_row(self, table: str, row: Mapping[str, Any]) -> None:
        """Insert one row, its values by column. Raises StoreError."""
        self.insert(table, {name: [value] for name, value in row.items()})

    def execute(self, statement: str, **parameters: Any) -> None:
        """Run a statement that the rules were compiled to. Raises StoreError."""
        with self._writes(statement[:40]) as writer:
            writer.command(statement, parameters=parameters)

    @contextmanager
    def _writes(self, what: str) -> Iterator[Client]:
        with self._writing:
            try:
                yield self._writer
            except ClickHouseError as e:
                raise StoreError(f"{what}: {_first_line(e)}") from e


@cache
def text(name: str) -> str:
    """The text of a named query. Raises LookupError for a name that has no file."""
    file = _QUERIES / f"{name}.sql"
    if not _NAME.match(name) or not file.is_file():
        raise LookupError(f"no query is named {name!r}")
    return file.read_text(encoding="utf-8")


def shown(dsn: str) -> str:
    """A DSN as it may be printed: without user and password."""
    scheme, mark, rest = dsn.partition("://")
    netloc, slash, path = rest.partition("/")
    return scheme + mark + netloc.rpartition("@")[2] + slash + path


def _lock(dsn: str) -> StoreLock | None:
    parts = urlsplit(dsn)
    return (
        StoreLock.take(Path(unquote(parts.path)))
        if parts.scheme == "chdb" and not parts.netloc and parts.path
        else None
    )


def _connector(dsn: str) -> _Connect:
    """What opens a handle on this store. Raises UserError for a DSN of another kind, ClickHouseError for no answer."""
    parts = urlsplit(dsn)
    if parts.scheme == "chdb" and not parts.netloc and parts.path not in ("", "/"):
        return partial(_embedded, unquote(parts.path))
    if parts.scheme in ("http", "https") and parts.hostname:
        return _server(parts)
    raise UserError(f"store {shown(dsn)}: not chdb:///absolute/path or http(s)://host:port/database")


def _embedded(path: str, settings: dict[str, Any]) -> Client:
    try:
        return clickhouse_connect.get_client(interface="chdb", path=path, settings=settings)
    except ImportError as e:
        raise UserError("an embedded store needs chDB: pip install 'blockonset[embedded]'") from e


def _server(parts: SplitResult) -> _Connect:
    database = unquote(parts.path.strip("/")) or "blockonset"
    connect = partial(
        clickhouse_connect.get_client,
        interface=parts.scheme,
        host=parts.hostname,
        port=parts.port or (8443 if parts.scheme == "https" else 8123),
        username=unquote(parts.username or "") or None,
        password=unquote(parts.password or ""),
        autogenerate_session_id=False,  # a session serialises its queries
    )
    first = connect(database="default")
    try:
        first.command("CREATE DATABASE IF NOT EXISTS {database:Identifier}", parameters={"database": database})
    finally:
        first.close()
    return lambda settings: connect(database=database, settings=settings)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:500]

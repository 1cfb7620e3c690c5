"""The store: the only module that opens ClickHouse. An embedded store and a server are used by the same code.

A read is a file in aggregator/store/queries with bound parameters, and is named by that file. A write inserts columns
or a row. The only SQL from elsewhere is what the judging rules are compiled to (`Store.execute`). All calls block: call
them in threads.
"""

from __future__ import annotations

import logging
import queue
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from aggregator.store import migrate
from aggregator.store.dsn import Connect, connector, embedded_directory, printable
from aggregator.store.lock import StoreLock
from probe.base.errors import UserError

READERS = 4
"""Connections for reading. Each runs one query at a time, so this many reads run at once."""

READ_LIMITS: dict[str, Any] = {
    "max_execution_time": 20,
    "max_memory_usage": 2 << 30,
    "max_threads": 2,
    "readonly": 1,  # the last one: no setting can be changed after it
}
WRITE_SETTINGS: dict[str, Any] = {
    "max_insert_block_size": 1 << 20,  # one insert is one block
    "async_insert": 0,  # an insert that returned is on disk
    "insert_deduplicate": 0,  # ids are looked up first; deduplication by block loses acknowledged batches
    "optimize_and_compare_chain": 0,  # costs 5 ms for every AND in the rules, and has nothing to optimise there
    "query_plan_merge_expressions": 0,  # merges the six levels of facts.sql: 30 ms of planning for no gain
}

for _library in ("clickhouse_connect", "urllib3"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)  # whatever they log they also raise
_TEXT = {"FixedString": "string"}
_BYTES = {"FixedString": "string", "String": "bytes"}
_QUERIES = Path(__file__).parent / "queries"
_WAIT_S = 30.0
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")


class StoreError(Exception):
    """A read or write failed: the store is gone or busy, or a limit was passed. Trying again may help."""


class Store:
    """One open store. Reads may come from many threads; writes run one after the other.

    Times go in as integer milliseconds since the epoch and come back as the query says; fixed strings come back as str.
    """

    def __init__(self, connect: Connect, lock: StoreLock | None) -> None:
        """Use `open`."""
        self._connect = connect
        self._lock = lock
        self._writing = threading.Lock()
        self._writer = connect(WRITE_SETTINGS)
        self._readers: queue.LifoQueue[Client | None] = queue.LifoQueue()
        for _ in range(READERS):
            self._readers.put(None)

    @classmethod
    def open(cls, dsn: str, *, create: bool = True) -> Self:
        """Open a store and bring its tables to this version. `dsn` is an address as in aggregator.store.dsn.

        A store that is missing is made, unless `create` is false. Raises UserError for a store that can't be opened:
        it is missing, does not answer, its directory can't be used or is in use, or a newer version made it.
        """
        name, directory = printable(dsn), embedded_directory(dsn)
        if directory and not create and not (directory / "metadata").is_dir():  # chDB makes it
            raise _missing(name)
        lock = StoreLock.take(directory) if directory else None
        store: Self | None = None
        try:
            store = cls(connector(dsn, create=create), lock)
            if not create:
                _require_tables(store._writer, name)
            migrate.migrate(store._writer, name)
        except BaseException as e:
            if store:
                store.close()
            elif lock:
                lock.release()
            if isinstance(e, OperationalError):
                raise UserError(f"store {name}: does not answer. Start ClickHouse there, or name another store.") from e
            if isinstance(e, ClickHouseError):
                raise UserError(f"store {name}: can't be opened: {_first_line(e)}") from e
            raise
        return store

    def close(self) -> None:
        """Close every connection and release the directory. Waits for the calls that are running."""
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
        """Run a named query; its rows as dicts. Raises StoreError."""
        with self._reading(name) as reader:
            result = reader.query(query_text(name), parameters=parameters, query_formats=_TEXT)
        return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]

    def columns(self, name: str, **parameters: Any) -> dict[str, npt.NDArray[Any]]:
        """Run a named query; its columns by name, as numpy arrays of equal length, or {} where it has no rows.

        Raises StoreError.
        """
        with self._reading(name) as reader:
            result = reader.query(query_text(name), parameters=parameters, query_formats=_TEXT)
        return {n: np.asarray(c) for n, c in zip(result.column_names, result.result_columns, strict=True)}

    def blobs(self, name: str, **parameters: Any) -> list[dict[str, Any]]:
        """As `read`, but every String is returned as bytes: for envelopes, which are not text. Raises StoreError."""
        with self._reading(name) as reader:
            result = reader.query(query_text(name), parameters=parameters, query_formats=_BYTES)
        return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]

    @contextmanager
    def _reading(self, name: str) -> Iterator[Client]:
        """A connection for one query; `name` stands in errors."""
        try:
            reader = self._readers.get(timeout=_WAIT_S)
        except queue.Empty:
            raise StoreError(f"{name}: all {READERS} readers were busy for {_WAIT_S:.0f} s") from None
        try:
            reader = reader or self._connect(READ_LIMITS)
            yield reader
        except ClickHouseError as e:
            raise StoreError(f"{name}: {_first_line(e)}") from e
        finally:
            self._readers.put(reader)

    # -- writing

    def insert(self, table: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Insert equal-length columns as one block. Columns without rows insert nothing. Raises StoreError."""
        if not any(len(c) for c in columns.values()):
            return
        with self._writes(table) as writer:
            writer.insert(table, list(columns.values()), column_names=list(columns), column_oriented=True)

    def insert_row(self, table: str, row: Mapping[str, Any]) -> None:
        """Insert one row, its values by column. Raises StoreError."""
        self.insert(table, {name: [value] for name, value in row.items()})

    def execute(self, statement: str, **parameters: Any) -> None:
        """Run a statement that writes, such as `RuleSet.statement`. Raises StoreError."""
        with self._writes(statement[:40]) as writer:
            writer.command(statement, parameters=parameters)

    @contextmanager
    def _writes(self, name: str) -> Iterator[Client]:
        """The connection that writes, held alone; `name` stands in errors."""
        with self._writing:
            try:
                yield self._writer
            except ClickHouseError as e:
                raise StoreError(f"{name}: {_first_line(e)}") from e


@cache
def query_text(name: str) -> str:
    """The SQL of a named query. Raises LookupError for a name without a file."""
    file = _QUERIES / f"{name}.sql"
    if not _NAME.match(name) or not file.is_file():
        raise LookupError(f"no query is named {name!r}")
    return file.read_text(encoding="utf-8")


def _require_tables(client: Client, name: str) -> None:
    if not migrate.has_tables(client):
        raise _missing(name)


def _missing(name: str) -> UserError:
    return UserError(f"store {name}: there is no store. Name one that an aggregator has made, with --store.")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:500]

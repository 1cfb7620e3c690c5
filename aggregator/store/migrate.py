"""Migrations bring a store's tables to this version: numbered SQL files, each applied once, in order."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from probe.base.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickhouse_connect.driver.client import Client

_DIRECTORY = Path(__file__).parent / "migrations"
_FILE = re.compile(r"^(\d{4})_(\w+)\.sql$")
_STATEMENT_END = re.compile(r";[ \t]*\n")

_TABLE = """
CREATE TABLE IF NOT EXISTS migrations
(
    number  UInt32,
    name    String,
    digest  FixedString(64),                   -- SHA-256 of the file, hex
    applied DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY number
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
"""


class Migration(NamedTuple):
    """One file of aggregator/store/migrations: `<number>_<name>.sql`."""

    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text, hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def known() -> list[Migration]:
    """The migrations of this version, in order."""
    files = [(m, p) for p in sorted(_DIRECTORY.iterdir()) if (m := _FILE.match(p.name))]
    return [Migration(int(m[1]), m[2], p.read_text(encoding="utf-8")) for m, p in files]


def has_tables(client: Client) -> bool:
    """Whether the store was ever migrated: an empty database has no tables."""
    return bool(client.query("EXISTS TABLE migrations").result_rows[0][0])


def migrate(client: Client, store: str, migrations: Sequence[Migration] | None = None) -> None:
    """Apply the migrations that the store does not have yet.

    One that a crash interrupted is applied again: every statement may run twice. `store` names the store in errors.
    Raises UserError for a store made by a newer version, or by another text of a migration.
    """
    migrations = known() if migrations is None else migrations
    client.command(_TABLE)
    rows = client.query("SELECT number, digest FROM migrations", query_formats={"FixedString": "string"}).result_rows
    applied = {int(number): str(digest) for number, digest in rows}
    newest, known_up_to = max(applied, default=0), max((m.number for m in migrations), default=0)
    if newest > known_up_to:
        raise UserError(
            f"store {store}: made by a newer version (its tables are at {newest}, this version knows up to "
            f"{known_up_to}). Upgrade blockonset, or name another store."
        )
    for m in migrations:
        if m.number not in applied:
            _apply(client, m)
        elif applied[m.number] != m.digest:
            raise UserError(
                f"store {store}: its tables were made by a text of migration {m.number} ({m.name}) that differs from "
                "this version's. Use the version that made it, or name another store."
            )


def _apply(client: Client, migration: Migration) -> None:
    for statement in _STATEMENT_END.split(migration.sql + "\n"):
        if statement.strip():
            client.command(statement)
    client.insert(
        "migrations",
        [[migration.number, migration.name, migration.digest]],
        column_names=["number", "name", "digest"],
    )

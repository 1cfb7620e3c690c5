"""A store opens or its error says why not, reads only named queries, and keeps what is inserted."""

import base64
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from aggregator.store import migrate
from aggregator.store.dsn import printable
from aggregator.store.store import READ_LIMITS, Store, StoreError, query_text
from probe.base.errors import UserError


def watch_row(name):
    """The columns of one row of the table `watches`."""
    return {"watch": [name], "digest": ["0" * 64], "since": [1_800_000_000_123], "text": [f"id = '{name}'"]}


def test_inserted_rows_are_read(any_store):
    """Strings, fixed strings and times."""
    any_store.insert("watches", watch_row("w1"))
    assert {"watch": "w1", "digest": "0" * 64, "text": "id = 'w1'"} in any_store.read("watch_texts")
    columns = any_store.columns("watch_texts")
    assert columns["digest"].tolist() == ["0" * 64] * len(columns["watch"])


def test_bytes_are_read_unchanged(any_store):
    """An envelope is not text, and no bit of it may change."""
    raw = bytes(range(256))
    any_store.insert(
        "segments",
        {
            "segment_id": ["a" * 32], "probe": ["U"], "sequence": [1], "sealed": [1], "received": [77],
            "measurements": [1], "raw": [raw],
        },
    )  # fmt: skip
    (row,) = any_store.blobs("batch_segments", received=77)
    assert row == {"segment_id": "a" * 32, "raw": raw}


def test_inserting_no_rows_does_nothing(any_store):
    """It is not an error."""
    before = any_store.read("watch_texts")
    any_store.insert("watches", {k: [] for k in watch_row("x")})
    assert any_store.read("watch_texts") == before
    assert any_store.columns("rule_set_known", rule_set="none") == {}


def test_parameters_are_bound(any_store):
    """A parameter is a value, even if it looks like SQL."""
    assert any_store.read("rule_set_known", rule_set="' OR 1 = 1 --") == []


def test_only_named_queries_are_run(any_store):
    """A path, SQL and unknown names are refused."""
    for name in ("no_such", "../sql/0001_facts", "SELECT 1", ""):
        with pytest.raises(LookupError):
            any_store.read(name)


def test_a_query_that_fails_is_named(any_store):
    """The error holds the query's name and ClickHouse's message."""
    with pytest.raises(StoreError, match=r"rule_set_known: .*rule_set"):
        any_store.read("rule_set_known")


def test_readers_can_neither_write_nor_read_files(any_store):
    """Even if somebody managed to inject a statement."""
    for statement in ("DROP TABLE watches", "SELECT * FROM file('/etc/passwd', LineAsString)", "SET readonly = 0"):
        with pytest.raises(StoreError), any_store._reading("test") as reader:
            reader.command(statement)
    assert any_store.read("watch_texts") is not None


def test_a_slow_read_blocks_nothing_else(any_store):
    """Each reader and the writer has its own connection."""

    def occupy():
        with any_store._reading("slow") as reader:
            reader.query("SELECT sleep(2)")

    busy = threading.Thread(target=occupy)
    busy.start()
    time.sleep(0.2)
    started = time.monotonic()
    any_store.read("watch_texts")
    any_store.insert("watches", watch_row("w2"))
    assert busy.is_alive(), f"{time.monotonic() - started} s"
    busy.join()


def test_reads_have_limits(any_store):
    """A read that takes too long is ended, and its connection goes on working."""
    connection = any_store._connect(READ_LIMITS | {"readonly": 0} | {"max_execution_time": 1, "readonly": 1})
    with pytest.raises(Exception, match=r"(?i)timeout"):
        connection.query("SELECT sum(sin(number)) FROM numbers(1000000000000)")
    assert connection.query("SELECT 1").result_rows == [(1,)]
    connection.close()


def test_many_threads_can_read_at_once(any_store):
    """More threads than connections: they take turns."""
    results = []
    threads = [threading.Thread(target=lambda: results.append(any_store.read("watch_texts"))) for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(results) == 12


def test_migrating_twice_changes_nothing(any_store):
    """A migration that was interrupted is applied again."""
    migrate.migrate(any_store._writer, "here")
    any_store.execute("ALTER TABLE migrations DELETE WHERE number = 2 SETTINGS mutations_sync = 2")
    migrate.migrate(any_store._writer, "here")
    rows = any_store._writer.query("SELECT number FROM migrations ORDER BY number").result_rows
    assert [n for (n,) in rows] == [m.number for m in migrate.known()]


def test_a_store_of_a_newer_version_is_refused(any_store):
    """The message names both versions."""
    newer = [*migrate.known(), migrate.Migration(99, "later", "SELECT 1;\n")]
    migrate.migrate(any_store._writer, "here", newer)
    with pytest.raises(UserError, match=f"store here: made by a newer version .*at 99, .* up to {newer[-2].number}"):
        migrate.migrate(any_store._writer, "here")
    any_store.execute("ALTER TABLE migrations DELETE WHERE number = 99 SETTINGS mutations_sync = 2")


def test_tables_made_by_another_text_are_refused(any_store):
    """The message names the migration."""
    first = migrate.known()[0]
    with pytest.raises(UserError, match=r"migration 1 \(facts\)"):
        migrate.migrate(
            any_store._writer, "here", [first._replace(sql=first.sql + "\n-- changed\n"), *migrate.known()[1:]]
        )


@pytest.mark.parametrize(
    ("dsn", "message"),
    [
        ("mysql://127.0.0.1/x", "not chdb:///absolute/path or http"),
        ("chdb://", "not chdb:///absolute/path"),
        ("chdb://relative/path", "not chdb:///absolute/path"),
        ("somewhere", "not chdb:///absolute/path"),
        ("http://alice:secret@127.0.0.1:9/x", r"store http://127.0.0.1:9/x: does not answer"),
        ("chdb:///dev/null/store", r"store directory /dev/null/store: Not a directory"),
    ],
)
def test_a_store_that_cannot_be_opened_says_why(dsn, message):
    """The message names the address or directory, and never a password."""
    with pytest.raises(UserError, match=message) as caught:
        Store.open(dsn)
    assert "secret" not in caught.value.message


def test_a_servers_user_and_password_are_taken_from_its_address():
    """Percent-encoded characters are decoded."""
    credentials = []

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self):
            credentials.append(self.headers["Authorization"])
            self.send_error(500)

        def log_message(self, *_):
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(UserError, match=r"store http://127\.0\.0\.1:"):
            Store.open(f"http://ali%40ce:se%2Fcret@127.0.0.1:{server.server_port}/data%20base", create=False)
        server.shutdown()
    assert base64.b64decode(credentials[0].removeprefix("Basic ")) == b"ali@ce:se/cret"


def test_a_store_that_must_exist_is_not_made(tmp_path):
    """The path is named, and nothing is left there."""
    for missing in (tmp_path / "nothing", tmp_path):
        with pytest.raises(UserError, match=f"store chdb://{missing}: there is no store"):
            Store.open(f"chdb://{missing}", create=False)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_store_is_opened_without_making_one(tmp_path):
    """Its tables are brought to this version as always; a directory of chDB without our tables is no store."""
    Store.open(f"chdb://{tmp_path}").close()
    again = Store.open(f"chdb://{tmp_path}", create=False)
    again.execute("DROP TABLE migrations SYNC")
    again.close()
    with pytest.raises(UserError, match="there is no store"):
        Store.open(f"chdb://{tmp_path}", create=False)


def test_the_error_names_the_process_that_has_the_store_open(store):
    """In another process, and at a second attempt in this one."""
    path = store._lock.directory
    with pytest.raises(UserError, match=f"{path}: in use by process {os.getpid()} since 20"):
        Store.open(f"chdb://{path}")
    script = "import sys; from aggregator.store.store import Store; Store.open(sys.argv[1])"
    ended = subprocess.run(
        [sys.executable, "-c", script, f"chdb://{path}"], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode != 0
    assert f"in use by process {os.getpid()} since" in ended.stderr


def test_a_damaged_data_directory_is_named(tmp_path):
    """When ClickHouse can't start there, the error is a message and not a traceback."""
    (tmp_path / "metadata").write_text("not a directory")
    with pytest.raises(UserError, match=f"store chdb://{tmp_path}: can't be opened"):
        Store.open(f"chdb://{tmp_path}")


def test_a_dsn_is_printed_without_its_password():
    """User and password are left out."""
    assert printable("https://a:b@h:1/d?x=1") == "https://h:1/d?x=1"
    assert printable("chdb:///p/q") == "chdb:///p/q"


def test_every_query_begins_with_a_comment():
    """And no value is formatted into one instead of being bound."""
    for name in sorted(p.stem for p in (migrate._DIRECTORY.parent / "queries").glob("*.sql")):
        assert query_text(name).startswith("-- "), name
        assert "%s" not in query_text(name), name

"""A store opens where it can, says why where it can't, and reads nothing but what is named."""

import os
import subprocess
import sys
import threading
import time

import pytest

from aggregator.store import migrate
from aggregator.store.dsn import printable
from aggregator.store.store import READ_LIMITS, Store, StoreError, query_text
from probe.base.errors import UserError


def a_watch(name):
    """A row to insert."""
    return {"watch": [name], "digest": ["0" * 64], "since": [1_800_000_000_123], "text": [f"id = '{name}'"]}


def test_what_is_inserted_is_read_back(any_store):
    """Texts, fixed texts and times."""
    any_store.insert("watches", a_watch("w1"))
    assert {"watch": "w1", "digest": "0" * 64, "text": "id = 'w1'"} in any_store.read("watch_texts")
    columns = any_store.columns("watch_texts")
    assert columns["digest"].tolist() == ["0" * 64] * len(columns["watch"])


def test_bytes_come_back_as_they_were(any_store):
    """An envelope is no text, and not a bit of it may change."""
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


def test_inserting_nothing_is_nothing(any_store):
    """No rows, no error."""
    before = any_store.read("watch_texts")
    any_store.insert("watches", {k: [] for k in a_watch("x")})
    assert any_store.read("watch_texts") == before
    assert any_store.columns("rule_set_known", rule_set="none") == {}


def test_parameters_are_bound(any_store):
    """What a caller gives is a value, whatever it looks like."""
    assert any_store.read("rule_set_known", rule_set="' OR 1 = 1 --") == []


def test_only_named_queries_are_run(any_store):
    """A name is not a path and not SQL."""
    for name in ("no_such", "../sql/0001_facts", "SELECT 1", ""):
        with pytest.raises(LookupError):
            any_store.read(name)


def test_a_statement_that_fails_names_itself(any_store):
    """The error says which query, and what the engine said."""
    with pytest.raises(StoreError, match=r"rule_set_known: .*rule_set"):
        any_store.read("rule_set_known")


def test_readers_write_nothing_and_reach_no_file(any_store):
    """Not even by a statement that somebody got in."""
    for statement in ("DROP TABLE watches", "SELECT * FROM file('/etc/passwd', LineAsString)", "SET readonly = 0"):
        with pytest.raises(StoreError), any_store._reading("test") as reader:
            reader.command(statement)
    assert any_store.read("watch_texts") is not None


def test_a_slow_read_keeps_nobody_waiting(any_store):
    """Readers and the writer have handles of their own."""

    def occupy():
        with any_store._reading("slow") as reader:
            reader.query("SELECT sleep(2)")

    busy = threading.Thread(target=occupy)
    busy.start()
    time.sleep(0.2)
    started = time.monotonic()
    any_store.read("watch_texts")
    any_store.insert("watches", a_watch("w2"))
    assert busy.is_alive(), f"{time.monotonic() - started} s"
    busy.join()


def test_reads_have_limits(any_store):
    """A read that takes too long is ended; the handle goes on working."""
    handle = any_store._connect(READ_LIMITS | {"readonly": 0} | {"max_execution_time": 1, "readonly": 1})
    with pytest.raises(Exception, match=r"(?i)timeout"):
        handle.query("SELECT sum(sin(number)) FROM numbers(1000000000000)")
    assert handle.query("SELECT 1").result_rows == [(1,)]
    handle.close()


def test_many_threads_may_read_at_once(any_store):
    """More of them than there are handles: they take turns."""
    found = []
    threads = [threading.Thread(target=lambda: found.append(any_store.read("watch_texts"))) for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == 12


def test_the_tables_are_made_once(any_store):
    """Migrating again changes nothing; a file that was cut short is applied again."""
    migrate.migrate(any_store._writer, "here")
    any_store.execute("ALTER TABLE migrations DELETE WHERE number = 2 SETTINGS mutations_sync = 2")
    migrate.migrate(any_store._writer, "here")
    found = any_store._writer.query("SELECT number FROM migrations ORDER BY number").result_rows
    assert [n for (n,) in found] == [m.number for m in migrate.known()]


def test_a_store_of_a_newer_version_is_refused(any_store):
    """Both numbers are named."""
    newer = [*migrate.known(), migrate.Migration(99, "later", "SELECT 1;\n")]
    migrate.migrate(any_store._writer, "here", newer)
    with pytest.raises(UserError, match=f"store here: made by a newer version .*at 99, .* up to {newer[-2].number}"):
        migrate.migrate(any_store._writer, "here")
    any_store.execute("ALTER TABLE migrations DELETE WHERE number = 99 SETTINGS mutations_sync = 2")


def test_tables_made_by_another_text_are_refused(any_store):
    """The migration is named."""
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
    """The address or directory is named; a password never is."""
    with pytest.raises(UserError, match=message) as caught:
        Store.open(dsn)
    assert "secret" not in caught.value.message


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


def test_a_second_process_is_told_who_holds_the_store(store):
    """And the second handle in this process, too."""
    path = store._lock.directory
    with pytest.raises(UserError, match=f"{path}: in use by process {os.getpid()} since 20"):
        Store.open(f"chdb://{path}")
    other = "import sys; from aggregator.store.store import Store; Store.open(sys.argv[1])"
    ended = subprocess.run(
        [sys.executable, "-c", other, f"chdb://{path}"], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode != 0
    assert f"in use by process {os.getpid()} since" in ended.stderr


def test_a_data_directory_that_is_broken_is_named(tmp_path):
    """An engine that doesn't start is no traceback."""
    (tmp_path / "metadata").write_text("not a directory")
    with pytest.raises(UserError, match=f"store chdb://{tmp_path}: can't be opened"):
        Store.open(f"chdb://{tmp_path}")


def test_a_dsn_is_shown_without_its_password():
    """In errors, logs and the health page."""
    assert printable("https://a:b@h:1/d?x=1") == "https://h:1/d?x=1"
    assert printable("chdb:///p/q") == "chdb:///p/q"


def test_every_query_says_what_it_is_for():
    """Each file begins with a comment, and no value stands in it that should be bound."""
    for name in sorted(p.stem for p in (migrate._DIRECTORY.parent / "queries").glob("*.sql")):
        assert query_text(name).startswith("-- "), name
        assert "%s" not in query_text(name), name

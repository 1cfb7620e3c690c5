"""The spool keeps runs whole, frees only by receipt, and survives a kill."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from probe.base.clock import now_ms
from probe.custody.spool import Spool, read_ledger
from probe.custody.spool_lock import SpoolError
from probe.measure.bytes_on_wire import OPEN_AND_CLOSE
from probe.protocol import segment
from probe.protocol.keys import Key
from probe.protocol.receipt import KeptWithdrawal, Receipt, SegmentFate
from tests.support.factory import app_measurement, app_run

KEY = Key.create("user")
NOW = now_ms()


@pytest.fixture
def path(tmp_path):
    """Where the spool is."""
    return tmp_path / "data" / "spool.db"


@pytest.fixture
def spool(path):
    """An open spool."""
    opened = Spool(path)
    yield opened
    opened.close()


def receipt(**states):
    """A receipt with these states, by segment id."""
    entries = tuple(SegmentFate(subject=i, state=s) for i, s in states.items())
    return Receipt(probe=KEY.id, issued_ms=NOW, entries=entries)


def runs_in(sealed):
    """The run ids in a sealed segment, in order."""
    return [m.run_id for m in segment.open(sealed.raw).segment.measurements]


def test_what_was_added_is_sealed_in_time_and_in_order(spool):
    """Nothing is sealed before its time, everything after it, in the order in which it was added."""
    first, second = app_run(3), app_run(2)
    spool.add(first, NOW)
    spool.add(second, NOW + 500)
    assert spool.seal_due(KEY, NOW + 999, 1000) == []
    (sealed,) = spool.seal_due(KEY, NOW + 1000, 1000)
    assert segment.open(sealed.raw).segment.measurements == (*first, *second)
    assert spool.pending() == 0
    assert spool.seal_due(KEY, NOW + 9999, 0) == []


def test_a_clock_that_is_set_back_delays_nothing(spool):
    """A run that seems to lie in the future is due, too."""
    spool.add(app_run(1), NOW)
    assert len(spool.seal_due(KEY, NOW - 3_600_000, 1000)) == 1


def test_runs_are_kept_whole(spool):
    """Full segments are sealed before their time."""
    runs = [app_run(30) for _ in range(5)]
    for run in runs:
        spool.add(run, NOW)
    full = spool.seal_due(KEY, NOW, 60_000)
    assert [s.count for s in full] == [60, 60]
    assert [runs_in(s) for s in full] == [[m.run_id for m in a + b] for a, b in (runs[0:2], runs[2:4])]
    assert [s.count for s in spool.seal_due(KEY, NOW, 0)] == [30]
    assert [e.sequence for e in spool.ledger()] == [1, 2, 3]


def test_a_run_too_large_for_a_segment_is_split(spool):
    """Nothing is lost: incompressible runs of more than 64 KB are sealed in several segments."""
    run_id = os.urandom(16).hex()
    steps = tuple(
        msgspec.structs.replace(app_measurement().steps[0], certificate=os.urandom(32).hex()) for _ in range(500)
    )
    run = tuple(app_measurement(run_id, steps=steps) for _ in range(6))
    spool.add(run, NOW)
    sealed = spool.seal_due(KEY, NOW, 0)
    assert len(sealed) > 1
    assert sum(s.count for s in sealed) == 6
    assert all(len(s.raw) <= segment.MAX_BYTES for s in sealed)
    assert [m for s in sealed for m in segment.open(s.raw).segment.measurements] == list(run)


def test_a_measurement_too_large_for_a_segment_is_kept_without_its_steps(spool):
    """It can't be sent, but it is not lost silently."""
    step = app_measurement().steps[0]
    steps = tuple(
        msgspec.structs.replace(step, names=tuple(os.urandom(256).hex() for _ in range(8))) for _ in range(40)
    )
    spool.add([app_measurement(steps=steps)], NOW)
    (sealed,) = spool.seal_due(KEY, NOW, 0)
    (sent,) = segment.open(sealed.raw).segment.measurements
    assert sent.internal.startswith("too large to send")
    assert sent.steps == ()


def test_only_a_receipt_frees(spool):
    """NATS' acknowledgement keeps the payload; a receipt frees it and leaves the line in the ledger."""
    spool.add(app_run(1), NOW)
    (sealed,) = spool.seal_due(KEY, NOW, 0)
    assert [(u.id, u.raw) for u in spool.unsent()] == [(sealed.id, sealed.raw)]
    spool.mark_sent(sealed.id, NOW)
    assert spool.unsent() == []
    assert spool.spooled() == 1
    assert spool.settle(receipt(**{sealed.id: "stored"}), NOW + 5) == [sealed.id]
    assert spool.spooled() == 0
    (entry,) = spool.ledger()
    assert (entry.segment_id, entry.state, entry.measurements, entry.freed_ms) == (sealed.id, "stored", 1, NOW + 5)


def test_a_withdrawals_entry_frees_no_segment(spool):
    """Even if it has a segment's id: only an entry about a segment settles one."""
    spool.add(app_run(1), NOW)
    (sealed,) = spool.seal_due(KEY, NOW, 0)
    kept = Receipt(probe=KEY.id, issued_ms=NOW, entries=(KeptWithdrawal(subject=sealed.id),))
    assert spool.settle(kept, NOW) == []
    assert [e.state for e in spool.ledger()] == ["spooled"]
    assert [u.raw for u in spool.unsent()] == [sealed.raw]


def test_the_first_receipt_of_a_segment_is_final(spool):
    """A repeated or a contradicting receipt changes nothing."""
    spool.add(app_run(1), NOW)
    (sealed,) = spool.seal_due(KEY, NOW, 0)
    spool.settle(receipt(**{sealed.id: "rejected"}), NOW)
    assert spool.settle(receipt(**{sealed.id: "stored", "f" * 32: "stored"}), NOW) == []
    assert [e.state for e in spool.ledger()] == ["rejected"]


def test_an_overdue_receipt_is_asked_for_and_unknown_means_send_again(spool):
    """Each time the store says unknown, the segment is sent under another attempt and asked for later."""
    spool.add(app_run(1), NOW)
    (sealed,) = spool.seal_due(KEY, NOW, 0)
    spool.mark_sent(sealed.id, NOW)
    assert spool.overdue(NOW + 999, 1000) == []
    assert spool.overdue(NOW + 1000, 1000) == [sealed.id]
    spool.settle(receipt(**{sealed.id: "unknown"}), NOW + 1000)
    assert [u.attempt for u in spool.unsent()] == [1]
    spool.mark_sent(sealed.id, NOW + 1000)
    assert spool.overdue(NOW + 2999, 1000) == []
    assert spool.overdue(NOW + 3000, 1000) == [sealed.id]


def test_a_receipt_may_arrive_before_the_acknowledgement(spool):
    """A segment that is freed already isn't marked as sent."""
    spool.add(app_run(1), NOW)
    (sealed,) = spool.seal_due(KEY, NOW, 0)
    spool.settle(receipt(**{sealed.id: "stored"}), NOW)
    spool.mark_sent(sealed.id, NOW)
    assert spool.overdue(NOW + 10**9, 1) == []


def test_a_new_process_sends_again_what_no_receipt_freed(path):
    """An acknowledgement is forgotten with the process; segments, sequence and pending runs are not."""
    first = Spool(path)
    first.add(app_run(1), NOW)
    (sealed,) = first.seal_due(KEY, NOW, 0)
    first.mark_sent(sealed.id, NOW)
    first.add(app_run(2), NOW)
    first.close()
    second = Spool(path)
    assert [u.raw for u in second.unsent()] == [sealed.raw]
    assert second.pending() == 2
    assert [s.count for s in second.seal_due(KEY, NOW, 0)] == [2]
    assert [e.sequence for e in second.ledger()] == [1, 2]
    second.close()


def test_the_files_are_readable_by_their_owner_alone(spool, path):
    """Other users of the machine can't read them."""
    spool.add(app_run(1), NOW)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(f.stat().st_mode) for f in path.parent.iterdir()} == {0o600}


def test_a_second_probe_on_the_same_spool_is_refused(spool, path):
    """Two writers would seal the same sequence numbers. Reading is allowed."""
    with pytest.raises(SpoolError, match="another probe is using it"):
        Spool(path)
    spool.add(app_run(1), NOW)
    spool.seal_due(KEY, NOW, 0)
    assert read_ledger(path) == spool.ledger()


def test_a_full_spool_refuses_runs_and_keeps_what_it_has(tmp_path):
    """At its limit it refuses a whole run, can still seal and free, and accepts runs again after that."""
    path = tmp_path / "spool.db"
    spool = Spool(path, max_bytes=200_000)

    def fill():
        for _ in range(1000):
            spool.add([app_measurement(steps=app_measurement().steps * 100)], NOW)

    with pytest.raises(SpoolError, match=r"spool.db.*full"):
        fill()
    kept = spool.pending()
    assert kept > 3
    sealed = spool.seal_due(KEY, NOW, 0)
    assert sum(s.count for s in sealed) == kept
    spool.settle(receipt(**{s.id: "stored" for s in sealed}), NOW)
    spool.add(app_run(1), NOW)
    spool.close()


@pytest.mark.parametrize("damage", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_spool_is_named_and_not_changed(path, damage):
    """It may hold unsent segments, so it is not replaced."""
    path.parent.mkdir()
    path.write_bytes(damage)
    with pytest.raises(SpoolError, match=r"spool.db.*damaged"):
        Spool(path)
    assert path.read_bytes() == damage


def test_a_spool_of_a_newer_version_is_refused(path):
    """Both versions are named."""
    Spool(path).close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = 99")
    db.close()
    with pytest.raises(SpoolError, match=r"newer version .format 99"):
        Spool(path)


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    """There is a file where the data directory should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match=r"spool\.db"):
        Spool(tmp_path / "file" / "spool.db")


def test_bytes_are_counted_by_month(spool):
    """Each step's bytes on the wire, in the month of the probe's clock; deliveries are added."""
    steps = (msgspec.structs.replace(app_measurement().steps[0], sent=100, received=1000),)
    spool.add([app_measurement(steps=steps)] * 2, NOW)
    assert spool.traffic(NOW) == 2 * (1100 + OPEN_AND_CLOSE)
    spool.add_traffic(5000, NOW)
    assert spool.traffic(NOW) == 2 * (1100 + OPEN_AND_CLOSE) + 5000
    assert spool.traffic(NOW + 40 * 86_400_000) == 0


KILLED = """
import sys
from pathlib import Path
from probe.protocol.keys import Key
from probe.custody.spool import Spool
from probe.base.clock import now_ms
from tests.support.factory import app_run
spool, key = Spool(Path(sys.argv[1])), Key.create("user")
while True:
    run = app_run(7)
    spool.add(run)
    print("added", run[0].run_id, flush=True)
    for sealed in spool.seal_due(key, now_ms(), 0):
        print("sealed", sealed.id, flush=True)
"""


def test_a_kill_loses_nothing_that_was_added(tmp_path):
    """What a call has written survives kill -9: whole runs, each once."""
    path = tmp_path / "spool.db"
    words_of_lines = []
    for lines in (40, 61, 83):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        ) as process:
            words_of_lines += [process.stdout.readline().split() for _ in range(lines)]
            process.send_signal(signal.SIGKILL)
            words_of_lines += [line.split() for line in process.stdout.read().splitlines()]
    spool = Spool(path)
    spool.seal_due(KEY, now_ms(), 0)
    kept = [m.run_id for u in spool.unsent(10_000) for m in segment.open(u.raw).segment.measurements]
    added = {w[1] for w in words_of_lines if w[0] == "added"}
    assert added <= set(kept)
    assert all(kept.count(run_id) == 7 for run_id in set(kept))
    assert {w[1] for w in words_of_lines if w[0] == "sealed"} <= {e.segment_id for e in spool.ledger()}
    spool.close()

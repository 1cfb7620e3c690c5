"""Nothing is lost and nothing is there twice, whatever comes and wherever it breaks."""

import secrets
import zlib

import msgspec
import pytest

from aggregator.intake.ingest import IncomingSegment, Ingest
from aggregator.intake.questions import QuestionHandler
from aggregator.judging import rule_set
from aggregator.store.store import Store, StoreError
from probe.protocol import envelope, segment
from probe.protocol import receipt as receipts
from probe.protocol.keys import Key
from probe.protocol.measurement import Segment
from probe.protocol.questions import FatesRequest
from tests.support.aggregators import AT_MS, TEST_WATCH, agree, dc, handshake, measurement

OPERATOR = Key.create("operator")
RULES = rule_set.load(rule_set.newest())


@pytest.fixture
def probe():
    """A probe that nobody has seen before."""
    return Key.create("user")


@pytest.fixture
def ingest(any_store):
    """An aggregator that has just started."""
    return started(any_store)


def started(store):
    """An aggregator on a store, as after a start."""
    new = Ingest(store, OPERATOR, {"test": TEST_WATCH}, RULES)
    new.repair()
    return new


def run(**changes):
    """The measurements of one run: three, of two surfaces."""
    run_id = secrets.token_hex(16)
    return [
        measurement("web", agree(), run_id=run_id, check="dns", **changes),
        measurement("web", handshake(), run_id=run_id, check="tls", **changes),
        measurement("app", [*dc(1), *dc(2)], run_id=run_id, **changes),
    ]


def sealed(probe, *measurements, sequence=1):
    """A segment."""
    return segment.seal(measurements or run(), probe, sequence, AT_MS + 1000)


def fates(taken, probe):
    """`{segment: (state, reason)}` of the receipt that a probe got."""
    receipt = receipts.open(taken.receipts[probe.id], OPERATOR.id)
    assert receipt.probe == probe.id
    return {e.subject: (e.state, e.reason) for e in receipt.entries}


def there(store, segment_id):
    """How many measurements of a segment are stored, each row counted; None when it isn't stored at all."""
    rows = store.read("segment_rows", segment_id=segment_id)
    return rows[0]["rows"] if rows else None


def verdicts(store, measurements, provider="north-fixed"):
    """The verdicts of a run."""
    return store.read("run_verdicts", watch="test", provider=provider, run_id=measurements[0].run_id)


def test_a_segment_is_stored_judged_and_receipted(any_store, ingest, probe):
    """Its measurements, its bytes as they were signed, a verdict a surface, and a receipt by the operator."""
    measurements = run()
    s = sealed(probe, *measurements)
    taken = ingest.take([IncomingSegment(probe.id, s.raw)])
    assert fates(taken, probe) == {s.id: ("stored", "")}
    assert taken.touched == {("test", "north-fixed")}
    assert there(any_store, s.id) == 3
    assert [v["verdict"] for v in verdicts(any_store, measurements)] == ["ok", "ok"]
    (kept,) = any_store.blobs("batch_segments", received=ingest.complete_ms)
    assert (kept["segment_id"], kept["raw"]) == (s.id, s.raw)


def test_what_comes_again_is_receipted_again_and_stored_once(any_store, ingest, probe):
    """In the same batch, in another, and after a restart."""
    s = sealed(probe)
    message = IncomingSegment(probe.id, s.raw)
    for again in (ingest, ingest, started(any_store)):
        assert fates(again.take([message, message]), probe) == {s.id: ("stored", "")}
    assert there(any_store, s.id) == 3


def test_every_batch_has_its_own_instant_even_when_the_clock_steps_back(any_store, probe):
    """What was known at an instant never changes afterwards."""
    ingest = started(any_store)
    instants = []
    for ahead in (60_000, -60_000, 0):
        ingest._now_ms = lambda ahead=ahead, at=ingest.complete_ms: at + ahead
        ingest.take([IncomingSegment(probe.id, sealed(probe).raw)])
        instants.append(ingest.complete_ms)
    assert instants == sorted(set(instants))
    assert started(any_store).complete_ms == instants[-1]


def kept(store, probe):
    """What was kept of a probe's refused segments, with the reasons."""
    return [(row["reason"].decode(), row["payload"]) for row in store.blobs("rejected_payloads", probe=probe.id)]


class Failing:
    """A store that fails before the n-th write, as a power cut or a lost connection would."""

    def __init__(self, store, n):
        self._store, self._left = store, n

    def __getattr__(self, name):
        return getattr(self._store, name)

    def _write(self, write, *args, **kwargs):
        if self._left == 0:
            raise StoreError("gone")
        self._left -= 1
        write(*args, **kwargs)

    def insert(self, table, columns):
        """Insert, or fail."""
        if any(columns.values()):
            self._write(self._store.insert, table, columns)

    def execute(self, statement, **parameters):
        """Run, or fail."""
        self._write(self._store.execute, statement, **parameters)


@pytest.mark.parametrize("writes", [0, 1, 2, 3])
@pytest.mark.parametrize("restart", [False, True], ids=["same-process", "after-a-restart"])
def test_a_batch_cut_short_is_completed(any_store, probe, writes, restart):
    """Cut before each of its four writes (refused, segments, measurements, verdicts), then taken again."""
    measurements = run()
    s = sealed(probe, *measurements)
    bad = envelope.seal("S", b"nonsense", probe)
    batch = [IncomingSegment(probe.id, s.raw), IncomingSegment(probe.id, bad)]
    ingest = started(any_store)
    known = ingest.complete_ms
    ingest._store = Failing(any_store, writes)
    with pytest.raises(StoreError):
        ingest.take(batch)
    assert ingest.complete_ms == known
    if restart:
        ingest = started(any_store)
        if writes >= 2:  # the segment's bytes were there: the start has completed it by itself
            assert there(any_store, s.id) == 3
            assert len(verdicts(any_store, measurements)) == 2
    ingest._store = any_store
    assert fates(ingest.take(batch), probe) == {
        s.id: ("stored", ""),
        segment.segment_id(bad): ("rejected", "compression"),
    }
    assert there(any_store, s.id) == 3
    assert len(verdicts(any_store, measurements)) == 2
    assert kept(any_store, probe) == [("compression", bad)]


def test_measurements_that_are_missing_keep_their_first_instant(any_store, probe):
    """A row that is completed later was received when its segment was."""
    s = sealed(probe)
    ingest = started(any_store)
    ingest._store = Failing(any_store, 1)
    with pytest.raises(StoreError):
        ingest.take([IncomingSegment(probe.id, s.raw)])
    ingest._store = any_store
    ingest.take([IncomingSegment(probe.id, s.raw)])
    (row,) = any_store.read("segment_rows", segment_id=s.id)
    assert row["received"] == row["rows_received"] < ingest.complete_ms


def forged(probe, key, **changes):
    """A segment whose signer, body or bytes are not what they should be."""
    body = Segment(probe=probe.id, sequence=1, nonce=secrets.token_hex(16), sealed_ms=AT_MS, measurements=tuple(run()))
    return envelope.seal("S", zlib.compress(msgspec.json.encode(msgspec.structs.replace(body, **changes))), key)


def test_each_bad_segment_is_refused_with_its_reason_and_stops_nobody(any_store, ingest, probe):
    """Good ones in the same batch are stored; every refusal is receipted on the subject it came on."""
    stranger, good = Key.create("user"), sealed(probe)
    flipped = bytearray(sealed(probe).raw)
    flipped[50] ^= 1
    bad = {
        "envelope": b"junk",
        "signature": bytes(flipped),
        "compression": envelope.seal("S", b"nonsense", probe),
        "shape": envelope.seal("S", zlib.compress(b'{"format": 1}'), probe),
        "version": forged(probe, probe, format=99),
        "signer": forged(stranger, probe),
        "subject": sealed(stranger).raw,
        "unknown_watch": sealed(probe, measurement("app", dc(1), watch="elsewhere")).raw,
        "privacy": sealed(probe, measurement("app", dc(1), software="mail me@home.example")).raw,
    }
    taken = ingest.take([IncomingSegment(probe.id, raw) for raw in (*bad.values(), good.raw)])
    said = fates(taken, probe)
    assert said.pop(good.id) == ("stored", "")
    assert sorted(said.values()) == sorted(("rejected", reason) for reason in bad)
    assert there(any_store, good.id) == 3
    assert dict(kept(any_store, probe)) == bad | {"privacy": b""}


def test_nobody_can_have_anothers_segment_refused(any_store, ingest, probe):
    """Neither on one's own subject, nor with a wrong signature on its bytes: its id stays free."""
    mallory, s = Key.create("user"), sealed(probe)
    wrong = s.raw[:36] + bytes(64) + s.raw[100:]
    ingest.take(
        [IncomingSegment(mallory.id, s.raw), IncomingSegment(mallory.id, wrong), IncomingSegment(probe.id, wrong)]
    )
    assert there(any_store, s.id) is None
    assert fates(ingest.take([IncomingSegment(probe.id, s.raw)]), probe) == {s.id: ("stored", "")}


def test_a_subject_that_is_no_key_gets_no_receipt(ingest):
    """There is nobody to tell."""
    assert ingest.take([IncomingSegment("nobody", b"junk")]).receipts == {}


def test_a_probe_learns_what_became_of_its_segments(any_store, ingest, probe):
    """Stored, rejected with the reason, or unknown; another probe's segments are unknown to it."""
    mine, refused = sealed(probe), sealed(probe, measurement("app", dc(1), watch="elsewhere"))
    ingest.take([IncomingSegment(probe.id, mine.raw), IncomingSegment(probe.id, refused.raw)])
    handler = QuestionHandler(any_store, OPERATOR, {"test": TEST_WATCH})
    question = msgspec.json.encode(FatesRequest(segments=(mine.id, refused.id, "0" * 32)))

    def entries(asker, *, is_caught_up=True):
        return receipts.open(handler.answer(asker.id, question, is_caught_up=is_caught_up), OPERATOR.id).entries

    assert [(e.subject, e.state, e.reason) for e in entries(probe)] == [
        (mine.id, "stored", ""),
        (refused.id, "rejected", "unknown_watch"),
        ("0" * 32, "unknown", ""),
    ]
    assert entries(probe, is_caught_up=False) == entries(probe)[:2]
    assert {e.state for e in entries(Key.create("user"))} == {"unknown"}


@pytest.mark.parametrize(
    ("vantage", "provider"),
    [
        ({"asn": 64500}, "north-fixed"),
        ({"asn": 64501, "access": "unknown"}, "south-mobile"),
        ({"asn": 64501, "access": "fixed"}, ""),
        ({"asn": 64999}, ""),
        ({"asn": 64500, "changed": True}, ""),
        ({"asn": 64500, "role": "reference"}, ""),
    ],
)
def test_a_row_counts_for_the_provider_that_its_network_belongs_to(any_store, ingest, probe, vantage, provider):
    """And for none where that isn't sure; a reference concerns all providers."""
    measurements = run(vantage=vantage)
    taken = ingest.take([IncomingSegment(probe.id, sealed(probe, *measurements).raw)])
    assert len(verdicts(any_store, measurements, provider)) == 2
    assert taken.touched == ({("test", provider)} if provider or "role" in vantage else set())


def test_a_surface_that_no_rule_knows_is_stored_and_has_no_verdict(any_store, ingest, probe):
    """Facts are facts."""
    m = measurement("smoke-signals", dc(1))
    s = sealed(probe, m)
    assert fates(ingest.take([IncomingSegment(probe.id, s.raw)]), probe) == {s.id: ("stored", "")}
    assert there(any_store, s.id) == 1
    assert verdicts(any_store, [m]) == []


def test_facts_come_back_as_they_were_sent(any_store, ingest, probe):
    """Every step's own column, the absent ones told from zero."""
    m = measurement("web", [*agree("192.0.2.7", "192.0.2.8"), *handshake(names=("a.example", "b.example"))])
    ingest.take([IncomingSegment(probe.id, sealed(probe, m).raw)])
    (row,) = any_store.read("measurement_steps", run_id=m.run_id)
    assert row["steps.op"] == [s.op for s in m.steps]
    assert row["steps.failure"] == [s.failure or "" for s in m.steps]
    assert row["steps.answers"][:2] == [["192.0.2.7", "192.0.2.8"]] * 2
    assert row["steps.rcode"] == [-1 if s.rcode is None else s.rcode for s in m.steps]
    assert row["steps.names"][3] == ["a.example", "b.example"]
    assert row["at"] == AT_MS


def test_the_store_is_the_real_one(any_store):
    """These tests run on a real engine."""
    assert isinstance(any_store, Store)

"""No segment is lost or stored twice, whatever is sent and wherever a write fails."""

import secrets
import zlib

import msgspec
import pytest

from aggregator.intake.ingest import IncomingSegment, Ingest
from aggregator.intake.questions import QuestionHandler
from aggregator.judging import rule_set
from aggregator.store.store import Store, StoreError
from probe.protocol import envelope, receipt, segment
from probe.protocol.keys import Key
from probe.protocol.measurement import Segment
from probe.protocol.questions import FatesRequest
from tests.support.factory import AT_MS, TEST_WATCH, agree, dc, handshake, measurement

OPERATOR = Key.create("operator")
RULES = rule_set.load(rule_set.newest())


@pytest.fixture
def probe():
    """The key of a new probe."""
    return Key.create("user")


@pytest.fixture
def ingest(any_store):
    """An ingest that has just started."""
    return started(any_store)


def started(store):
    """A new ingest on a store, as after a restart."""
    restarted = Ingest(store, OPERATOR, {"test": TEST_WATCH}, RULES)
    restarted.repair()
    return restarted


def run(**changes):
    """The measurements of one run: three, of two surfaces."""
    run_id = secrets.token_hex(16)
    return [
        measurement("web", agree(), run_id=run_id, check="dns", **changes),
        measurement("web", handshake(), run_id=run_id, check="tls", **changes),
        measurement("app", [*dc(1), *dc(2)], run_id=run_id, **changes),
    ]


def sealed(probe, *measurements, sequence=1):
    """A sealed segment of these measurements, or of a new run."""
    return segment.seal(measurements or run(), probe, sequence, AT_MS + 1000)


def fates(result, probe):
    """The receipt for a probe in the result of a batch, as `{segment id: (state, reason)}`."""
    opened = receipt.open(result.receipts[probe.id], OPERATOR.id)
    assert opened.probe == probe.id
    return {e.subject: (e.state, e.reason) for e in opened.entries}


def stored_rows(store, segment_id):
    """How many rows of a segment's measurements are stored; None when the segment isn't."""
    rows = store.read("segment_rows", segment_id=segment_id)
    return rows[0]["rows"] if rows else None


def verdicts(store, measurements, provider="north-fixed"):
    """The verdicts of a run."""
    return store.read("run_verdicts", watch="test", provider=provider, run_id=measurements[0].run_id)


def test_a_segment_is_stored_judged_and_receipted(any_store, ingest, probe):
    """Its measurements, its signed bytes, a verdict for each surface, and a receipt by the operator."""
    measurements = run()
    s = sealed(probe, *measurements)
    result = ingest.take([IncomingSegment(probe.id, s.raw)])
    assert fates(result, probe) == {s.id: ("stored", "")}
    assert result.touched == {("test", "north-fixed")}
    assert stored_rows(any_store, s.id) == 3
    assert [v["verdict"] for v in verdicts(any_store, measurements)] == ["ok", "ok"]
    (row,) = any_store.blobs("batch_segments", received=ingest.complete_ms)
    assert (row["segment_id"], row["raw"]) == (s.id, s.raw)


def test_a_copy_of_a_segment_is_receipted_again_and_not_stored_again(any_store, ingest, probe):
    """A copy in the same batch, in another one, and after a restart."""
    s = sealed(probe)
    message = IncomingSegment(probe.id, s.raw)
    for current in (ingest, ingest, started(any_store)):
        assert fates(current.take([message, message]), probe) == {s.id: ("stored", "")}
    assert stored_rows(any_store, s.id) == 3


def test_every_batch_has_its_own_time_even_when_the_clock_steps_back(any_store, probe):
    """What was known at one time never changes afterwards."""
    ingest = started(any_store)
    times = []
    for step in (60_000, -60_000, 0):
        ingest._now_ms = lambda step=step, last=ingest.complete_ms: last + step
        ingest.take([IncomingSegment(probe.id, sealed(probe).raw)])
        times.append(ingest.complete_ms)
    assert times == sorted(set(times))
    assert started(any_store).complete_ms == times[-1]


def refused_payloads(store, probe):
    """The (reason, payload) of a probe's refused segments."""
    return [(row["reason"].decode(), row["payload"]) for row in store.blobs("rejected_payloads", probe=probe.id)]


class FailingStore:
    """A store that fails after `writes` writes, as at a power cut or a lost connection."""

    def __init__(self, store, writes):
        self._store, self._left = store, writes

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
def test_an_interrupted_batch_is_completed(any_store, probe, writes, restart):
    """Interrupted before each of its four writes (rejected, segments, measurements, verdicts), then taken again."""
    measurements = run()
    s = sealed(probe, *measurements)
    bad = envelope.seal("S", b"nonsense", probe)
    batch = [IncomingSegment(probe.id, s.raw), IncomingSegment(probe.id, bad)]
    ingest = started(any_store)
    complete_ms = ingest.complete_ms
    ingest._store = FailingStore(any_store, writes)
    with pytest.raises(StoreError):
        ingest.take(batch)
    assert ingest.complete_ms == complete_ms
    if restart:
        ingest = started(any_store)
        if writes >= 2:  # the segment's bytes were stored: `repair` has completed it
            assert stored_rows(any_store, s.id) == 3
            assert len(verdicts(any_store, measurements)) == 2
    ingest._store = any_store
    assert fates(ingest.take(batch), probe) == {
        s.id: ("stored", ""),
        segment.segment_id(bad): ("rejected", "compression"),
    }
    assert stored_rows(any_store, s.id) == 3
    assert len(verdicts(any_store, measurements)) == 2
    assert refused_payloads(any_store, probe) == [("compression", bad)]


def test_rows_that_are_completed_later_have_their_segments_time(any_store, probe):
    """The time of receipt is that of the interrupted batch, not that of its repetition."""
    s = sealed(probe)
    ingest = started(any_store)
    ingest._store = FailingStore(any_store, 1)
    with pytest.raises(StoreError):
        ingest.take([IncomingSegment(probe.id, s.raw)])
    ingest._store = any_store
    ingest.take([IncomingSegment(probe.id, s.raw)])
    (row,) = any_store.read("segment_rows", segment_id=s.id)
    assert row["received"] == row["rows_received"] < ingest.complete_ms


def forged(probe, key, **changes):
    """A segment signed by `key` in the name of `probe`, with changes in its body."""
    body = Segment(probe=probe.id, sequence=1, nonce=secrets.token_hex(16), sealed_ms=AT_MS, measurements=tuple(run()))
    return envelope.seal("S", zlib.compress(msgspec.json.encode(msgspec.structs.replace(body, **changes))), key)


def test_each_bad_segment_is_refused_with_its_reason_and_the_others_are_stored(any_store, ingest, probe):
    """Every refusal is receipted to the probe on whose subject it came."""
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
    result = ingest.take([IncomingSegment(probe.id, raw) for raw in (*bad.values(), good.raw)])
    by_id = fates(result, probe)
    assert by_id.pop(good.id) == ("stored", "")
    assert sorted(by_id.values()) == sorted(("rejected", reason) for reason in bad)
    assert stored_rows(any_store, good.id) == 3
    assert dict(refused_payloads(any_store, probe)) == bad | {"privacy": b""}


def test_no_probe_can_have_another_probes_segment_refused(any_store, ingest, probe):
    """Neither by sending it on its own subject nor with a wrong signature: nothing is stored under its id."""
    mallory, s = Key.create("user"), sealed(probe)
    wrong = s.raw[:36] + bytes(64) + s.raw[100:]
    ingest.take(
        [IncomingSegment(mallory.id, s.raw), IncomingSegment(mallory.id, wrong), IncomingSegment(probe.id, wrong)]
    )
    assert stored_rows(any_store, s.id) is None
    assert fates(ingest.take([IncomingSegment(probe.id, s.raw)]), probe) == {s.id: ("stored", "")}


def test_a_subject_that_is_no_key_gets_no_receipt(ingest):
    """No probe could receive it."""
    assert ingest.take([IncomingSegment("nobody", b"junk")]).receipts == {}


def test_a_probe_learns_what_became_of_its_segments(any_store, ingest, probe):
    """Stored, rejected with the reason, or unknown; another probe's segments are unknown to it."""
    mine, refused = sealed(probe), sealed(probe, measurement("app", dc(1), watch="elsewhere"))
    ingest.take([IncomingSegment(probe.id, mine.raw), IncomingSegment(probe.id, refused.raw)])
    handler = QuestionHandler(any_store, OPERATOR, {"test": TEST_WATCH})
    question = msgspec.json.encode(FatesRequest(segments=(mine.id, refused.id, "0" * 32)))

    def entries(asker, *, is_caught_up=True):
        return receipt.open(handler.answer(asker.id, question, is_caught_up=is_caught_up), OPERATOR.id).entries

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
def test_a_row_counts_for_the_provider_of_its_network(any_store, ingest, probe, vantage, provider):
    """For none where the provider isn't certain; a reference concerns all providers."""
    measurements = run(vantage=vantage)
    result = ingest.take([IncomingSegment(probe.id, sealed(probe, *measurements).raw)])
    assert len(verdicts(any_store, measurements, provider)) == 2
    assert result.touched == ({("test", provider)} if provider or "role" in vantage else set())


def test_a_surface_without_rules_is_stored_and_has_no_verdict(any_store, ingest, probe):
    """Facts are kept whether or not a rule uses them."""
    m = measurement("smoke-signals", dc(1))
    s = sealed(probe, m)
    assert fates(ingest.take([IncomingSegment(probe.id, s.raw)]), probe) == {s.id: ("stored", "")}
    assert stored_rows(any_store, s.id) == 1
    assert verdicts(any_store, [m]) == []


def test_facts_are_read_as_they_were_sent(any_store, ingest, probe):
    """Each column of a step; an absent value differs from zero."""
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
    """The store of these tests is not a stub."""
    assert isinstance(any_store, Store)

"""Withdrawals and questions for a newer watch, from a real probe over a real NATS server to a real store."""

from __future__ import annotations

import asyncio
import contextlib

import msgspec
import pytest

from aggregator.intake.consumer import Consumer
from aggregator.intake.ingest import Ingest
from aggregator.intake.questions import QuestionError, QuestionHandler
from aggregator.judging import rule_set
from aggregator.watches.served import serve
from infra.nats import nats_server
from probe.base.clock import now_ms
from probe.custody import watch_renewal, withdrawal_delivery
from probe.custody.spool import Spool
from probe.custody.watch_renewal import WatchRenewal
from probe.home import files
from probe.home.config import Config
from probe.nats.link import connect
from probe.protocol import envelope, segment, watch_file
from probe.protocol.keys import Key
from probe.protocol.questions import WatchRequest, WithdrawalRequest
from tests.support.deliveries import delivering
from tests.support.factory import WATCH, dc, measurement
from tests.support.fake_collector import eventually

OPERATOR, AGGREGATOR = Key.create("operator"), Key.create("user")
OLD = WATCH.replace(b"2099", b"2098")
assert OLD != WATCH


class ProbeAndAggregator:
    """A probe's directory, key and configuration, and the ingest and question handler that it talks to."""

    def __init__(self, tmp_path, store):
        self.directory = tmp_path / "probe"
        self.key = Key.load_or_create(self.directory / "probe.key", "user")
        self.store = store
        (tmp_path / "watch.toml").write_bytes(WATCH)
        (tmp_path / "watch.signed").write_bytes(watch_file.sign(OLD, OPERATOR))
        served = serve(store, [tmp_path / "watch.toml"], OPERATOR.id)
        self.ingest = Ingest(store, OPERATOR, served, rule_set.load(rule_set.newest()))
        self.questions = QuestionHandler(store, OPERATOR, served)
        self.file = tmp_path / "watch.signed"

    def config(self, **changes):
        """The probe's configuration."""
        quick = {"deliver_every_s": 0.3, "receipt_wait_s": 5, "ack_timeout_s": 5, "flush_s": 5, "seal_s": 0.1}
        return Config(
            data=str(self.directory), watch=str(self.file), nats=(self.url,), operator=OPERATOR.id, **(quick | changes)
        )


@pytest.fixture
async def pair(store, tmp_path):
    """Both, with a real server and a running consumer between them."""
    pair, stop = ProbeAndAggregator(tmp_path, store), asyncio.Event()
    with nats_server.running(tmp_path / "nats", core_users=[AGGREGATOR.id], probes=[pair.key.id]) as server:
        pair.url = server.url
        connection = await connect([server.url], AGGREGATOR, "aggregator", within_s=10)
        pair.ingest.repair()
        consumer = Consumer(
            connection, pair.ingest, pair.questions, on_new_rows=lambda _: None, wait_s=0.2, max_bytes=1 << 24
        )
        await consumer.make_stream()
        running = asyncio.create_task(consumer.run(stop))
        yield pair
        stop.set()
        await asyncio.wait_for(running, 10)
        consumer.close()
        await connection.close()


@contextlib.asynccontextmanager
async def delivering_spool(pair, *tasks, **changes):
    """The probe's spool, which is delivered for the duration of a block."""
    with contextlib.closing(Spool(pair.directory / "spool.db")) as spool:
        async with delivering(pair.config(**changes), pair.key, spool, *tasks):
            yield spool


@pytest.mark.parametrize("every_s", [0.0, 0.3])
async def test_a_withdrawal_is_stored_and_receipted_and_hides_the_probes_rows(pair, every_s):
    """Over a permanent connection and by visits; stored once, though sent twice; later runs stay in the spool."""
    run = measurement("app", dc(1), at_ms=now_ms())
    async with delivering_spool(pair, deliver_every_s=every_s) as spool:
        spool.add([run])
        (sealed,) = await eventually(lambda: [e for e in spool.ledger() if e.state == "stored"], 20)
        assert public_rows(pair, sealed.segment_id, run) == (1, 1, 1, 1)
        line = withdrawal_delivery.sign(pair.directory)
        await eventually(lambda: not withdrawal_delivery.waiting(pair.directory), 20)
        spool.add([measurement("app", dc(1), at_ms=now_ms())])
        await asyncio.sleep(0.5)
    assert withdrawal_delivery.confirmed_ms(pair.directory, OPERATOR.id) > 0
    assert [e.state for e in ledger(pair)] == ["stored", "spooled"]
    assert public_rows(pair, sealed.segment_id, run) == (0, 0, 0, 0)
    handed_over_again = msgspec.json.encode(WithdrawalRequest(line=line))
    assert pair.questions.answer(pair.key.id, handed_over_again, is_caught_up=True)
    assert pair.store.read("withdrawn", probe=pair.key.id, line=line) == [{"kept": 1}]


def ledger(pair):
    """The ledger of the spool, once no delivery has it open."""
    spool = Spool(pair.directory / "spool.db")
    try:
        return spool.ledger()
    finally:
        spool.close()


def public_rows(pair, segment_id, run):
    """How many segments, measurements, runs and bins of the probe the API's queries find."""
    index = segment.measurement_id(segment_id, 0)
    places = pair.store.read("measurement_places", watch=run.watch, id=index, as_of=4_102_444_800_000)
    question = {
        "rule_set": rule_set.newest(), "watch": run.watch, "provider": "north-fixed", "surface": "app",
        "as_of": 4_102_444_800_000, "start": run.at_ms - 1000, "end": run.at_ms + 1000, "near_ms": 1000, "limit": 10,
    }  # fmt: skip
    runs = pair.store.read("series", **question, after_at=0, after_run="")
    place = {"after_start": -1, "after_probe": "", "after_line": "", "after_role": ""}
    bins = pair.store.read("series_bins", **question, **place, bin_ms=1000)
    own = [[r for r in rows if r["probe"] == pair.key.id] for rows in (runs, bins)]
    return len(pair.store.read("segment_raw", segment_id=segment_id)), len(places), *map(len, own)


async def test_the_command_delivers_a_withdrawal_at_once(pair):
    """No running probe is needed; a second call needs no server, as there is nothing left to deliver."""
    withdrawal_delivery.sign(pair.directory)
    assert await asyncio.to_thread(withdrawal_delivery.hand_over, pair.config(), pair.directory) == ""
    assert withdrawal_delivery.waiting(pair.directory) == ""
    unreachable = msgspec.structs.replace(pair.config(), nats=("nats://127.0.0.1:1",))
    assert await asyncio.to_thread(withdrawal_delivery.hand_over, unreachable, pair.directory) == ""


async def test_no_probe_withdraws_another(pair):
    """A line that another key signed gets no reply, and is not stored."""
    other = Key.load_or_create(pair.directory / "other" / "probe.key", "user")
    line = withdrawal_delivery.sign(pair.directory / "other")
    question = msgspec.json.encode(WithdrawalRequest(line=line))
    with pytest.raises(QuestionError, match=f"it is about {other.id}"):
        pair.questions.answer(pair.key.id, question, is_caught_up=True)
    connection = await connect([pair.url], pair.key, "probe", inbox_prefix=f"_INBOX_{pair.key.id}", within_s=10)
    with pytest.raises(TimeoutError):
        await connection.request(f"q.{pair.key.id}", question, timeout_s=1)
    await connection.close()
    assert pair.store.read("withdrawn", probe=other.id, line=line) == [{"kept": 0}]


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"kind": "\xff"}', b'{"kind": "fates"}'])
def test_a_malformed_question_is_refused(store, data):
    """With an error that is logged, and no reply."""
    with pytest.raises(QuestionError, match="malformed question"):
        QuestionHandler(store, OPERATOR, {}).answer(Key.create("user").id, data, is_caught_up=True)


def test_a_subject_without_a_probes_id_is_refused(store):
    """A receipt needs a probe that it is for."""
    with pytest.raises(QuestionError, match="names no probe: 'nobody'"):
        QuestionHandler(store, OPERATOR, {}).answer("nobody", b"", is_caught_up=True)


def test_a_watch_is_sent_only_where_the_probe_has_another_text(store, tmp_path):
    """Nothing is sent for the present text, or for a watch that isn't served."""
    (tmp_path / "watch.toml").write_bytes(WATCH)
    served = serve(store, [tmp_path / "watch.toml"], OPERATOR.id)
    handler, probe = QuestionHandler(store, OPERATOR, served), Key.create("user").id

    def answer(watch, digest):
        question = msgspec.json.encode(WatchRequest(watch=watch, digest=digest))
        return handler.answer(probe, question, is_caught_up=True)

    assert envelope.open(answer("test", "0" * 64), "W").body == WATCH
    assert answer("test", served["test"].digest) == b""
    assert answer("elsewhere", "0" * 64) == b""


async def test_a_newer_watch_is_fetched_over_the_connection_that_delivers(pair):
    """The operator serves one that expires later; it is in force after a restart too, and asked for once a day."""
    config, taken = pair.config(), []
    have = watch_renewal.present(config)
    renewal = WatchRenewal(config, pair.key, lambda: taken[-1] if taken else have, taken.append)
    async with delivering_spool(pair, renewal) as spool:
        spool.add([measurement("app", dc(1), at_ms=now_ms())])
        await eventually(lambda: taken, 20)
    assert (have.expires[:4], taken[0].expires[:4]) == ("2098", "2099")
    assert watch_renewal.present(config) == taken[0]
    assert not renewal.is_due()


async def test_an_expired_watch_causes_a_visit_without_anything_to_deliver(pair, monkeypatch):
    """For thirty days after it expired, and not while the probe is paused."""
    monkeypatch.setattr(watch_renewal.times, "today", lambda: watch_renewal.dt.date(2098, 12, 31))
    config, taken = pair.config(), []
    have = msgspec.structs.replace(watch_renewal.present(config), expires="2098-12-30")
    renewal = WatchRenewal(config, pair.key, lambda: have, taken.append)
    assert renewal.is_urgent()
    (pair.directory / files.PAUSED).write_bytes(b'{"until_ms":null}')
    assert not renewal.is_urgent()
    (pair.directory / files.PAUSED).unlink()
    async with delivering_spool(pair, renewal):
        await eventually(lambda: taken, 20)
    monkeypatch.setattr(watch_renewal.times, "today", lambda: watch_renewal.dt.date(2099, 12, 31))
    assert not WatchRenewal(config, pair.key, lambda: have, taken.append).is_urgent()

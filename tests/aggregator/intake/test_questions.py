"""What a probe brings and asks besides segments, over the real way: a withdrawal, the question for a newer watch."""

from __future__ import annotations

import asyncio
import contextlib

import msgspec
import pytest

from aggregator.intake.consumer import Consumer
from aggregator.intake.ingest import Ingest
from aggregator.intake.questions import QuestionError, QuestionHandler
from aggregator.judging import rule_set
from aggregator.watches import served as watches
from infra.nats import nats_server
from probe.custody import watch_renewal, withdrawal_delivery
from probe.custody.delivery import Delivery
from probe.custody.spool import Spool
from probe.custody.watch_renewal import WatchRenewal
from probe.home import files, notebook
from probe.home.config import Config
from probe.nats.link import connect
from probe.protocol import segment, watch_file
from probe.protocol.keys import Key
from probe.protocol.questions import WithdrawalRequest
from tests.support.aggregators import WATCH, dc, measurement
from tests.support.fake_collector import eventually, now_ms

OPERATOR, AGGREGATOR = Key.create("operator"), Key.create("user")
OLD = WATCH.replace(b"2099", b"2098")
assert OLD != WATCH


class Way:
    """A probe's configuration, its spool, and the aggregator at the other end."""

    def __init__(self, tmp_path, store):
        self.directory = tmp_path / "probe"
        self.key = Key.load_or_create(self.directory / "probe.key", "user")
        self.store = store
        (tmp_path / "watch.toml").write_bytes(WATCH)
        (tmp_path / "watch.signed").write_bytes(watch_file.sign(OLD, OPERATOR))
        served = watches.serve(store, [tmp_path / "watch.toml"], OPERATOR.id)
        self.ingest = Ingest(store, OPERATOR, served, rule_set.load(rule_set.newest()))
        self.questions = QuestionHandler(store, OPERATOR, served)
        self.file = tmp_path / "watch.signed"

    def config(self, **changes):
        """The probe's."""
        quick = {"deliver_every_s": 0.3, "receipt_wait_s": 5, "ack_timeout_s": 5, "flush_s": 5, "seal_s": 0.1}
        return Config(
            data=str(self.directory), watch=str(self.file), nats=(self.url,), operator=OPERATOR.id, **(quick | changes)
        )


@pytest.fixture
async def way(store, tmp_path):
    """With a real server and a consumer that runs."""
    found, stop = Way(tmp_path, store), asyncio.Event()
    with nats_server.running(tmp_path / "nats", core_users=[AGGREGATOR.id], probes=[found.key.id]) as server:
        found.url = server.url
        connection = await connect([server.url], AGGREGATOR, "aggregator", within_s=10)
        found.ingest.repair()
        consumer = Consumer(
            connection, found.ingest, found.questions, on_new_rows=lambda _: None, wait_s=0.2, max_bytes=1 << 24
        )
        await consumer.make_stream()
        running = asyncio.create_task(consumer.run(stop))
        yield found
        stop.set()
        await asyncio.wait_for(running, 10)
        consumer.close()
        await connection.close()


@contextlib.asynccontextmanager
async def delivering(way, *errands, **changes):
    """The probe's delivery for the time of a block, and its spool."""
    spool, stop = Spool(way.directory / "spool.db"), asyncio.Event()
    delivery = Delivery(way.config(**changes), way.key, spool, notebook.Notebook(way.directory), errands)
    task = asyncio.create_task(delivery.run(stop))
    try:
        yield spool, delivery
    finally:
        stop.set()
        await task
        spool.close()


@pytest.mark.parametrize("every_s", [0.0, 0.3])
async def test_a_withdrawal_is_kept_receipted_and_its_rows_are_shown_no_more(way, every_s):
    """By a standing connection and by visits; once, though it is handed over twice; what waits stays here."""
    run = measurement("app", dc(1), at_ms=now_ms())
    async with delivering(way, deliver_every_s=every_s) as (spool, delivery):
        spool.add([run])
        delivery.measured()
        (sealed,) = await eventually(lambda: [e for e in spool.ledger() if e.state == "stored"], 20)
        assert shown(way, sealed.segment_id, run) == (1, 1, 1, 1)
        line = withdrawal_delivery.sign(way.directory)
        await eventually(lambda: not withdrawal_delivery.waiting(way.directory), 20)
        spool.add([measurement("app", dc(1), at_ms=now_ms())])
        delivery.measured()
        await asyncio.sleep(0.5)
    assert withdrawal_delivery.confirmed_ms(way.directory, OPERATOR.id) > 0
    assert [e.state for e in spool_of(way)] == ["stored", "spooled"]
    assert shown(way, sealed.segment_id, run) == (0, 0, 0, 0)
    handed_over_again = msgspec.json.encode(WithdrawalRequest(line=line))
    assert way.questions.answer(way.key.id, handed_over_again, is_caught_up=True)
    assert way.store.read("withdrawn", probe=way.key.id, line=line) == [{"kept": 1}]


def spool_of(way):
    """The ledger, after the delivery."""
    spool = Spool(way.directory / "spool.db")
    try:
        return spool.ledger()
    finally:
        spool.close()


def shown(way, segment_id, run):
    """How many segments, measurements, runs and bins the API would find."""
    index = segment.measurement_id(segment_id, 0)
    places = way.store.read("measurement_places", watch=run.watch, id=index, as_of=4_102_444_800_000)
    question = {
        "rule_set": rule_set.newest(), "watch": run.watch, "provider": "north-fixed", "surface": "app",
        "as_of": 4_102_444_800_000, "start": run.at_ms - 1000, "end": run.at_ms + 1000, "near_ms": 1000, "limit": 10,
    }  # fmt: skip
    runs = way.store.read("series", **question, after_at=0, after_run="")
    place = {"after_start": -1, "after_probe": "", "after_line": "", "after_role": ""}
    bins = way.store.read("series_bins", **question, **place, bin_ms=1000)
    own = [[r for r in rows if r["probe"] == way.key.id] for rows in (runs, bins)]
    return len(way.store.read("segment_raw", segment_id=segment_id)), len(places), *map(len, own)


async def test_the_command_hands_it_over_at_once(way):
    """Without a running probe; a second time there is nothing left to do."""
    withdrawal_delivery.sign(way.directory)
    assert await asyncio.to_thread(withdrawal_delivery.hand_over, way.config(), way.directory) == ""
    assert withdrawal_delivery.waiting(way.directory) == ""
    unreachable = msgspec.structs.replace(way.config(), nats=("nats://127.0.0.1:1",))
    assert await asyncio.to_thread(withdrawal_delivery.hand_over, unreachable, way.directory) == ""


async def test_nobody_withdraws_for_another(way):
    """A line that another key signed gets no answer, and is not kept."""
    other = Key.load_or_create(way.directory / "other" / "probe.key", "user")
    line = withdrawal_delivery.sign(way.directory / "other")
    question = msgspec.json.encode(WithdrawalRequest(line=line))
    with pytest.raises(QuestionError, match=f"it is about {other.id}"):
        way.questions.answer(way.key.id, question, is_caught_up=True)
    connection = await connect([way.url], way.key, "probe", inbox_prefix=f"_INBOX_{way.key.id}", within_s=10)
    with pytest.raises(TimeoutError):
        await connection.request(f"q.{way.key.id}", question, timeout_s=1)
    await connection.close()
    assert way.store.read("withdrawn", probe=other.id, line=line) == [{"kept": 0}]


async def test_a_newer_watch_is_taken_over_the_connection_that_delivers(way):
    """The operator serves one that expires later; it is there after the next start, too, and asked for once a day."""
    config, taken = way.config(), []
    have = watch_renewal.present(config)
    errand = WatchRenewal(config, way.key, lambda: taken[-1] if taken else have, taken.append)
    async with delivering(way, errand) as (spool, delivery):
        spool.add([measurement("app", dc(1), at_ms=now_ms())])
        delivery.measured()
        await eventually(lambda: taken, 20)
    assert (have.expires[:4], taken[0].expires[:4]) == ("2098", "2099")
    assert watch_renewal.present(config) == taken[0]
    assert not errand.is_due()


async def test_an_expired_watch_is_a_reason_to_come_though_there_is_nothing_to_deliver(way, monkeypatch):
    """For thirty days, and not while paused."""
    monkeypatch.setattr(watch_renewal, "today", lambda: watch_renewal.dt.date(2098, 12, 31))
    config, taken = way.config(), []
    have = msgspec.structs.replace(watch_renewal.present(config), expires="2098-12-30")
    errand = WatchRenewal(config, way.key, lambda: have, taken.append)
    assert errand.is_urgent()
    (way.directory / files.PAUSED).write_bytes(b'{"until_ms":null}')
    assert not errand.is_urgent()
    (way.directory / files.PAUSED).unlink()
    async with delivering(way, errand):
        await eventually(lambda: taken, 20)
    monkeypatch.setattr(watch_renewal, "today", lambda: watch_renewal.dt.date(2099, 12, 31))
    assert not WatchRenewal(config, way.key, lambda: have, taken.append).is_urgent()

"""A real aggregator between a real NATS server and a real store: nothing is lost when it is killed."""

import asyncio
import contextlib
import random
import secrets
import socket
import subprocess
import sys
import time

import pytest

from aggregator.store.store import Store
from infra.nats import nats_server
from probe.protocol.keys import Key
from tests.support.aggregators import WATCH, AggregatorProcess, agree, dc, handshake, measurement
from tests.support.fake_collector import eventually, now_ms
from tests.support.fake_probe import Sender

WITHIN_S = 40
"""How long anything may take on a machine that does other things, too."""


def run():
    """The measurements of a run that works, made now."""
    run_id, at = secrets.token_hex(16), now_ms()
    return [
        measurement("web", [*agree(), *handshake()], run_id=run_id, at_ms=at),
        measurement("app", [*dc(1), *dc(2)], run_id=run_id, at_ms=at),
    ]


@pytest.fixture
def place(tmp_path):
    """A directory with keys, and a NATS server that knows an aggregator and a probe."""
    aggregator = Key.load_or_create(tmp_path / "aggregator.key", "user")
    operator = Key.load_or_create(tmp_path / "operator.key", "operator")
    probe = Key.create("user")
    with nats_server.running(tmp_path / "nats", core_users=[aggregator.id], probes=[probe.id]) as server:
        server.directory, server.sender = tmp_path, Sender(probe, operator.id)
        yield server


@contextlib.contextmanager
def running(place, *options):
    """An aggregator for the time of a block, and where its API answers."""
    aggregator = AggregatorProcess(place.directory, place.url, *options)
    try:
        yield aggregator, aggregator.url()
    finally:
        aggregator.stop()


def custody(place):
    """`{segment: rows}` of the store, opened once nobody else has it."""
    with contextlib.closing(Store.open(f"chdb://{place.directory / 'store'}")) as store:
        return {row["segment_id"]: row["measurements"] for row in store.read("custody_stored")}


async def test_segments_become_receipts_and_answers(place):
    """From publishing to the API; a question is answered; NATS may go and come back; SIGTERM ends it cleanly."""
    with running(place) as (aggregator, url):
        async with place.sender.at(place.url) as sender:
            for _ in range(3):
                await sender.send(*run())
            refused = await sender.send(measurement("app", dc(1), watch="elsewhere"))
            await eventually(lambda: len(sender.told) == 4, within_s=WITHIN_S)
            assert sender.told.pop(refused.id) == "rejected"
            assert set(sender.told.values()) == {"stored"}
            await asyncio.sleep(1.5)  # the stream is seen to be empty
            assert await sender.ask(refused.id, "0" * 32) == {refused.id: "rejected", "0" * 32: "unknown"}
            await asyncio.to_thread(answered, aggregator, url, 3)
        health = aggregator.get(f"{url}/healthz")
        assert health["ok"]
        assert health["watches"] == ["test"]
        place.kill()
        await eventually(lambda: not healthy(aggregator, url), within_s=WITHIN_S)
        place.start()
        async with place.sender.at(place.url) as sender:
            await eventually(lambda: healthy(aggregator, url), within_s=WITHIN_S)
            await sender.send(*run())
            await eventually(lambda: len(sender.told) == 4, within_s=WITHIN_S)
        assert aggregator.stop() == 0
    assert custody(place) == {i: 2 for i in sender.sent if i != refused.id}


def answered(aggregator, url, measurements):
    """Wait until the answers rest on so many runs."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        (north, _) = aggregator.get(f"{url}/v1/watches/test/onsets")["providers"]
        if north["answer"] and north["answer"]["measurements"] == measurements:
            return
        assert time.monotonic() < deadline, north
        time.sleep(0.2)


async def test_killed_again_and_again_nothing_is_lost_and_nothing_is_double(place):
    """With kill -9, at random moments, while segments keep coming: in the end each has a receipt and its rows, once."""
    chance = random.Random(7)
    async with place.sender.at(place.url) as sender:
        aggregator = AggregatorProcess(place.directory, place.url)
        await asyncio.to_thread(aggregator.url)
        for _ in range(3):
            sending = asyncio.create_task(send_for(sender, 1.2))
            await asyncio.sleep(chance.uniform(0.1, 1.2))
            await asyncio.to_thread(aggregator.kill)
            await sending
            aggregator = AggregatorProcess(place.directory, place.url)
            await asyncio.to_thread(aggregator.url)
        try:
            deadline = time.monotonic() + WITHIN_S
            while waiting := sender.sent.keys() - sender.told.keys():
                assert time.monotonic() < deadline, f"{len(waiting)} of {len(sender.sent)} have no receipt"
                sender.told |= {i: s for i, s in (await sender.ask(*waiting)).items() if s != "unknown"}
                await asyncio.sleep(0.1)
        finally:
            aggregator.stop()
    assert set(sender.told.values()) == {"stored"}
    assert custody(place) == dict.fromkeys(sender.sent, 2)


async def send_for(sender, seconds):
    """Publish segments without a pause."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        await sender.send(*run())
        await asyncio.sleep(0.02)


def healthy(aggregator, url):
    """Whether the health page says so."""
    try:
        return aggregator.get(f"{url}/healthz")["ok"]
    except OSError:
        return False


def refusal(*arguments):
    """What the command says when it doesn't start, and that it is no traceback."""
    said = subprocess.run(
        [sys.executable, "-m", "probe", "aggregator", *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert said.returncode == 2, said.stderr
    assert "Traceback" not in said.stderr
    return said.stderr


def test_history_is_not_judged_in_a_store_that_is_missing(tmp_path):
    """A mistyped path is refused instead of becoming an empty store."""
    missing = tmp_path / "mistyped"
    assert f"store chdb://{missing}: there is no store" in refusal("rejudge", "--store", f"chdb://{missing}")
    assert not missing.exists()


def test_what_it_needs_is_named_when_it_is_missing(tmp_path):
    """NATS, and the port."""
    (tmp_path / "watch.toml").write_bytes(WATCH)
    keys = ["--key", tmp_path / "k", "--operator-key", tmp_path / "o"]
    store = ["--store", f"chdb://{tmp_path / 'store'}"]
    watch = ["--watch", tmp_path / "watch.toml"]
    nobody = ["--nats", "nats://127.0.0.1:9", "--api-port", "0"]
    assert "nats://127.0.0.1:9 does not answer" in refusal(*keys, *store, *watch, *nobody)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"--api-port {port}: " in refusal(*keys, *store, *watch, "--api-port", port)

"""A real aggregator process with a real NATS server and a real store: nothing is lost when it is killed."""

import asyncio
import contextlib
import json
import random
import secrets
import socket
import subprocess
import sys
import time

import pytest

from aggregator.store.store import Store
from infra.nats import nats_server
from probe.base.clock import now_ms
from probe.protocol.keys import Key
from tests.support.aggregator_process import AggregatorProcess
from tests.support.factory import WATCH, agree, dc, handshake, measurement
from tests.support.fake_collector import eventually
from tests.support.fake_probe import Sender

WITHIN_S = 40
"""How long a step may take on a busy machine."""


def run():
    """The measurements of a run in which everything worked, made now."""
    run_id, at = secrets.token_hex(16), now_ms()
    return [
        measurement("web", [*agree(), *handshake()], run_id=run_id, at_ms=at),
        measurement("app", [*dc(1), *dc(2)], run_id=run_id, at_ms=at),
    ]


@pytest.fixture
def server(tmp_path):
    """A NATS server that knows an aggregator and a probe, with the directory of their keys and a sender."""
    aggregator = Key.load_or_create(tmp_path / "aggregator.key", "user")
    operator = Key.load_or_create(tmp_path / "operator.key", "operator")
    probe = Key.create("user")
    with nats_server.running(tmp_path / "nats", core_users=[aggregator.id], probes=[probe.id]) as started:
        started.directory, started.sender = tmp_path, Sender(probe, operator.id)
        yield started


@contextlib.contextmanager
def running(server, *options):
    """An aggregator for the duration of a block, and the URL of its API."""
    aggregator = AggregatorProcess(server.directory, server.url, *options)
    try:
        yield aggregator, aggregator.url()
    finally:
        aggregator.stop()


def rows_by_segment(server):
    """The number of stored rows by segment id, read once no aggregator has the store open."""
    with contextlib.closing(Store.open(f"chdb://{server.directory / 'store'}")) as store:
        return {row["segment_id"]: row["measurements"] for row in store.read("custody_stored")}


async def test_segments_become_receipts_and_answers(server):
    """From publishing to the API; a question is answered; NATS is restarted; SIGTERM ends it with exit code 0."""
    with running(server) as (aggregator, url):
        async with server.sender.at(server.url) as sender:
            for _ in range(3):
                await sender.send(*run())
            refused = await sender.send(measurement("app", dc(1), watch="elsewhere"))
            await eventually(lambda: len(sender.told) == 4, within_s=WITHIN_S)
            assert sender.told.pop(refused.id) == "rejected"
            assert set(sender.told.values()) == {"stored"}
            await asyncio.sleep(1.5)  # until the consumer has seen the stream empty
            assert await sender.ask(refused.id, "0" * 32) == {refused.id: "rejected", "0" * 32: "unknown"}
            await asyncio.to_thread(wait_for_answer, aggregator, url, 3)
        health = aggregator.get(f"{url}/healthz")
        assert health["ok"]
        assert health["watches"] == ["test"]
        metrics = aggregator.text(f"{url}/metrics")
        assert "blockonset_nats_up 1.0" in metrics
        assert f'rule_set="{health["rule_set"]}"' in metrics
        server.kill()
        await eventually(lambda: not healthy(aggregator, url), within_s=WITHIN_S)
        server.start()
        async with server.sender.at(server.url) as sender:
            await eventually(lambda: healthy(aggregator, url), within_s=WITHIN_S)
            await sender.send(*run())
            await eventually(lambda: len(sender.told) == 4, within_s=WITHIN_S)
        assert aggregator.stop() == 0
    assert rows_by_segment(server) == {i: 2 for i in sender.sent if i != refused.id}


def wait_for_answer(aggregator, url, measurements):
    """Wait until the first provider's answer is based on this many runs."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        (north, _) = aggregator.get(f"{url}/v1/watches/test/onsets")["providers"]
        if north["answer"] and north["answer"]["measurements"] == measurements:
            return
        assert time.monotonic() < deadline, north
        time.sleep(0.2)


async def test_nothing_is_lost_or_doubled_when_it_is_killed_repeatedly(server):
    """By kill -9 at random moments while segments arrive: in the end each has a receipt, and its rows once."""
    generator = random.Random(7)
    async with server.sender.at(server.url) as sender:
        aggregator = AggregatorProcess(server.directory, server.url)
        await asyncio.to_thread(aggregator.url)
        for _ in range(3):
            sending = asyncio.create_task(send_for(sender, 1.2))
            await asyncio.sleep(generator.uniform(0.1, 1.2))
            await asyncio.to_thread(aggregator.kill)
            await sending
            aggregator = AggregatorProcess(server.directory, server.url)
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
    assert rows_by_segment(server) == dict.fromkeys(sender.sent, 2)


async def send_for(sender, seconds):
    """Publish segments for this long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        await sender.send(*run())
        await asyncio.sleep(0.02)


def healthy(aggregator, url):
    """Whether `/healthz` answers that the aggregator is well."""
    try:
        return aggregator.get(f"{url}/healthz")["ok"]
    except OSError:
        return False


def refusal(*arguments):
    """The error of a command that is refused with exit code 2 and without a traceback."""
    result = subprocess.run(
        [sys.executable, "-m", "probe", "aggregator", *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


def test_history_is_not_judged_in_a_store_that_is_missing(tmp_path):
    """A mistyped path is refused instead of becoming an empty store."""
    missing = tmp_path / "mistyped"
    assert f"store chdb://{missing}: there is no store" in refusal("rejudge", "--store", f"chdb://{missing}")
    assert not missing.exists()


def test_a_missing_nats_server_and_a_taken_port_are_named(tmp_path):
    """The message names the URL or the option."""
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


async def test_the_log_is_json_and_names_no_caller(server):
    """Each line, those of the HTTP server and of other libraries too: also while requests are odd and NATS is gone."""
    with running(server) as (aggregator, url):
        host, _, port = url.removeprefix("http://").partition(":")
        ports = []
        for sent in (
            b"\x16\x03\x01no HTTP\r\n\r\n",
            b"OPTIONS /v1/watches HTTP/1.0\r\n\r\n",
            b"GET /nothing HTTP/1.0\r\n\r\n",
        ):
            with socket.create_connection((host, int(port)), timeout=10) as caller:
                ports.append(caller.getsockname()[1])
                caller.sendall(sent)
                assert caller.recv(65536).startswith(b"HTTP/1.1 ")
        server.kill()
        await eventually(lambda: not healthy(aggregator, url), within_s=WITHIN_S)
    text = aggregator.log.read_text()
    assert "Invalid HTTP request" in text
    assert [line for line in text.splitlines() if not isinstance(decoded(line), dict)] == []
    assert [port for port in ports if f":{port}" in text or f" {port})" in text] == []


def decoded(line):
    """A line's JSON; None if it is none."""
    with contextlib.suppress(json.JSONDecodeError):
        return json.loads(line)

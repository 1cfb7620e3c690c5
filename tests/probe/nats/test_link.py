"""Connecting to NATS, and reconnecting after the connection was lost."""

import asyncio
import gc
import json
from pathlib import Path

import pytest

from infra.nats import nats_server
from probe.base.errors import UserError
from probe.base.retry import waits
from probe.nats import link
from probe.nats.link import connect
from probe.protocol.keys import Key
from tests.support import servers
from tests.support.fake_collector import eventually

KEY = Key.create("user")


@pytest.fixture
def server(tmp_path):
    """A running server that accepts KEY."""
    with nats_server.running(tmp_path, core_users=[KEY.id]) as running:
        yield running


@pytest.fixture
def web_socket_url(tmp_path):
    """The ws:// URL of a running server that accepts KEY."""
    server = nats_server.Server(nats_server.write_config(tmp_path / "ws", core_users=[KEY.id], probes=[]))
    with server.config.open("a") as config:
        config.write('websocket { listen: "127.0.0.1:-1", no_tls: true }\n')
    server.start()
    ports = json.loads(next((tmp_path / "ws").glob(f"*_{server.pid}.ports")).read_text())
    yield f"ws://127.0.0.1:{ports['websocket'][0].rsplit(':', 1)[1]}"
    server.stop()


async def test_many_large_messages_arrive_over_a_web_socket(web_socket_url):
    """The server joins them into frames of any size: here 5 MB are on their way at once."""
    received = []

    async def keep(message):
        received.append(message.data)

    sender = await connect([web_socket_url], KEY, "sender", within_s=10)
    receiver = await connect([web_socket_url], KEY, "receiver", within_s=10)
    await receiver.subscribe("big", keep)
    await (await receiver.ready()).flush()
    sending = [bytes([n]) * 20_000 for n in range(256)]
    client = await sender.ready()
    for data in sending:
        await client.publish("big", data)
    await eventually(lambda: len(received) == 256)
    assert received == sending
    assert receiver.is_up
    await sender.close()
    await receiver.close()


def open_files():
    """How many files this process has open; 0 where /proc does not tell."""
    return len(list(Path("/proc/self/fd").glob("*")))


async def test_web_sockets_that_never_open_are_closed(monkeypatch):
    """One that is silent, one that answers something else, one that sends us away: none leaves a socket open."""
    monkeypatch.setattr(link, "_CONNECT_S", 0.3)
    away = servers.says(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
    async with (
        servers.tcp(servers.silent) as silent,
        servers.tcp(servers.says(b"HTTP/1.1 403 Forbidden\r\n\r\n")) as refusing,
        servers.tcp(away) as redirecting,
    ):
        before = open_files()
        urls = [f"ws://127.0.0.1:{port}" for port in (silent, refusing, redirecting)]
        connection = await connect(urls, KEY, "test", most_wait_s=0.1)
        await asyncio.sleep(2.5)
        assert not connection.is_up
        await connection.close()
        await asyncio.sleep(0.2)
        gc.collect()
        assert open_files() <= before + 1


async def test_a_url_that_does_not_answer_is_named():
    """The error names the URL and how it failed."""
    with pytest.raises(UserError, match=r"nats://127.0.0.1:1 does not answer .*is it running"):
        await connect(["nats://127.0.0.1:1"], KEY, "test", within_s=0.5)


@pytest.mark.parametrize("urls", [[], ["127.0.0.1:4222"], ["http://127.0.0.1"]])
async def test_a_wrong_url_is_refused_at_once(urls):
    """The message says what a URL must begin with."""
    with pytest.raises(UserError, match="NATS URL"):
        await connect(urls, KEY, "test")


async def test_the_next_url_is_tried(server):
    """One server of several may be down."""
    link = await connect(["nats://127.0.0.1:1", server.url], KEY, "test", within_s=10)
    assert link.is_up
    await link.close()
    await link.close()


async def test_subscriptions_and_requests_survive_a_killed_server(server):
    """A request made while the server is down waits for it; subscriptions are made again."""
    link = await connect([server.url], KEY, "test", within_s=10, most_wait_s=0.3)

    async def echo(message):
        await message.respond(message.data)

    await link.subscribe("echo", echo)
    assert (await link.request("echo", b"1", timeout_s=5)).data == b"1"
    server.kill()
    await eventually(lambda: not link.is_up)
    waiting = asyncio.create_task(link.request("echo", b"2", timeout_s=10))
    await asyncio.sleep(0.3)
    server.start()
    assert (await waiting).data == b"2"
    await link.close()


async def test_a_request_without_a_responder_and_one_without_a_reply_fail(server):
    """The first at once, the second after the timeout."""
    link = await connect([server.url], KEY, "test", within_s=10)
    with pytest.raises(ConnectionError, match=r"nobody: .*no responders"):
        await link.request("nobody", b"", timeout_s=5)

    async def silent(_message):
        """Send no reply."""

    await link.subscribe("silent", silent)
    with pytest.raises(TimeoutError, match=r"silent: no answer within 0.2 s"):
        await link.request("silent", b"", timeout_s=0.2)
    await link.close()


def test_pauses_grow_to_their_limit_and_are_never_zero():
    """They double, with jitter in the upper half."""
    pauses = waits(1.0, 8.0)
    for most in (1, 2, 4, 8, 8, 8):
        assert most / 2 <= next(pauses) < most


async def test_closing_while_it_connects_always_ends():
    """At any moment: nats-py swallows a cancellation that reaches it while it closes a failed link."""
    for n in range(60):
        link = await connect(["nats://127.0.0.1:1"], KEY, "test", most_wait_s=0.01)
        await asyncio.sleep(0.0005 * n)
        await asyncio.wait_for(link.close(), 5)

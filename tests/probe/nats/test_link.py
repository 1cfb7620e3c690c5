"""A connection is told from none, and comes back."""

import asyncio

import pytest

from infra.nats import nats_server
from probe.base.errors import UserError
from probe.base.retry import waits
from probe.nats.link import connect
from probe.protocol.keys import Key
from tests.support.fake_collector import eventually

KEY = Key.create("user")


@pytest.fixture
def server(tmp_path):
    """A server that knows our key."""
    with nats_server.running(tmp_path, core_users=[KEY.id]) as running:
        yield running


async def test_an_address_that_does_not_answer_is_named():
    """Who waits for the first connection is told which URL failed and how."""
    with pytest.raises(UserError, match=r"nats://127.0.0.1:1 does not answer .*is it running"):
        await connect(["nats://127.0.0.1:1"], KEY, "test", within_s=0.5)


@pytest.mark.parametrize("urls", [[], ["127.0.0.1:4222"], ["http://127.0.0.1"]])
async def test_what_is_no_url_is_refused_at_once(urls):
    """The message says what it must begin with."""
    with pytest.raises(UserError, match="NATS URL"):
        await connect(urls, KEY, "test")


async def test_the_next_url_is_tried(server):
    """One dead server among several is passed over."""
    connection = await connect(["nats://127.0.0.1:1", server.url], KEY, "test", within_s=10)
    assert connection.is_up
    await connection.close()
    await connection.close()


async def test_subscriptions_and_requests_live_on_after_a_killed_server(server):
    """A request that is made while there is no server waits for it; subscriptions are renewed."""
    connection = await connect([server.url], KEY, "test", within_s=10, most_wait_s=0.3)

    async def echo(message):
        await message.respond(message.data)

    await connection.subscribe("echo", echo)
    assert (await connection.request("echo", b"1", timeout_s=5)).data == b"1"
    server.kill()
    await eventually(lambda: not connection.is_up)
    waiting = asyncio.create_task(connection.request("echo", b"2", timeout_s=10))
    await asyncio.sleep(0.3)
    server.start()
    assert (await waiting).data == b"2"
    await connection.close()


async def test_nobody_there_and_no_answer_are_errors_with_names(server):
    """No responder is known at once; silence after the timeout."""
    connection = await connect([server.url], KEY, "test", within_s=10)
    with pytest.raises(ConnectionError, match=r"nobody: .*no responders"):
        await connection.request("nobody", b"", timeout_s=5)

    async def silent(_message):
        """Say nothing."""

    await connection.subscribe("silent", silent)
    with pytest.raises(TimeoutError, match=r"silent: no answer within 0.2 s"):
        await connection.request("silent", b"", timeout_s=0.2)
    await connection.close()


def test_pauses_grow_to_their_limit_and_are_never_none():
    """Doubling, with jitter in the upper half."""
    pauses = waits(1.0, 8.0)
    for most in (1, 2, 4, 8, 8, 8):
        assert most / 2 <= next(pauses) < most


async def test_closing_while_it_connects_always_ends():
    """At whatever moment: nats-py swallows a cancellation that reaches it while it closes a failed connection."""
    for n in range(60):
        connection = await connect(["nats://127.0.0.1:1"], KEY, "test", most_wait_s=0.01)
        await asyncio.sleep(0.0005 * n)
        await asyncio.wait_for(connection.close(), 5)

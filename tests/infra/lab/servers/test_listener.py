"""A listener's states, as a client on the same machine sees them."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from infra.lab.servers.listener import DROPS_SYNS, Listener
from infra.lab.servers.responders import Reply


class EchoAndClose:
    """Sends back what it received, and closes."""

    def receive(self, data):
        """The same bytes."""
        return Reply(data, "close")


@pytest.fixture
async def listener():
    """A listener that accepts connections."""
    made = Listener(asyncio.get_running_loop(), EchoAndClose)
    yield made
    made.close()


async def connect(port: int, wait_s: float = 5.0) -> str:
    """What happens to a client that connects and sends "hello", and waits `wait_s` at most for each step."""
    loop = asyncio.get_running_loop()
    with socket.socket() as s:
        s.setblocking(False)
        try:
            async with asyncio.timeout(wait_s):
                await loop.sock_connect(s, ("127.0.0.1", port))
        except TimeoutError:
            return "no connection"
        except OSError as e:
            return type(e).__name__
        try:
            async with asyncio.timeout(wait_s):
                await loop.sock_sendall(s, b"hello")
                return (await loop.sock_recv(s, 100)).decode()
        except TimeoutError:
            return "silence"
        except OSError as e:
            return type(e).__name__


EXPECTED = {
    "accept": {"hello"},
    "refuse": {"ConnectionRefusedError"},
    "reset": {"ConnectionResetError", "BrokenPipeError"},
    "drop": {"no connection"} if DROPS_SYNS else {"silence"},
    "silence": {"silence"},
}
WAIT_S = {"drop": 0.1, "silence": 0.1}


@pytest.mark.parametrize("first", EXPECTED)
@pytest.mark.parametrize("second", EXPECTED)
async def test_every_state_can_follow_every_other(listener, first, second):
    """The port stays the same, and each state applies to the next client at once."""
    port = listener.port
    for arrive in (first, second, "accept"):
        listener.arrive = arrive
        assert await connect(port, WAIT_S.get(arrive, 5.0)) in EXPECTED[arrive]


async def test_dropping_and_accepting_apply_to_all_clients(listener):
    """Forty clients at once: none gets into a full queue, and none is lost after it accepts again."""
    listener.arrive = "drop"
    assert set(await asyncio.gather(*(connect(listener.port, 0.3) for _ in range(40)))) == EXPECTED["drop"]
    listener.arrive = "accept"
    assert set(await asyncio.gather(*(connect(listener.port) for _ in range(40)))) == {"hello"}


async def test_a_client_that_connected_before_the_change_is_answered(listener):
    """A connection from just before the change isn't blocked."""
    loop = asyncio.get_running_loop()
    with socket.socket() as s:
        s.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            s.connect(("127.0.0.1", listener.port))
        listener.arrive = "drop"
        await loop.sock_sendall(s, b"hello")
        async with asyncio.timeout(1):
            assert await loop.sock_recv(s, 100) == b"hello"


async def test_old_connections_are_closed(listener, monkeypatch):
    """A client that sends nothing doesn't keep a socket open for ever."""
    loop = asyncio.get_running_loop()
    with socket.socket() as s:
        s.setblocking(False)
        await loop.sock_connect(s, ("127.0.0.1", listener.port))
        await asyncio.sleep(0.02)
        listener.sweep()
        monkeypatch.setattr("infra.lab.servers.listener._LONGEST_CONNECTION_S", 0.0)
        listener.sweep()
        async with asyncio.timeout(1):
            assert await loop.sock_recv(s, 100) == b""

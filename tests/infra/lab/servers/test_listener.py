"""A door's states, as a client on the same machine meets them."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from infra.lab.servers.listener import DROPS_SYNS, Listener
from infra.lab.servers.responders import Reply


class Greets:
    """Says what it heard, and closes."""

    def hear(self, data):
        """The same bytes."""
        return Reply(data, "close")


@pytest.fixture
async def door():
    """An open door."""
    door = Listener(asyncio.get_running_loop(), Greets)
    yield door
    door.close()


async def visit(port: int, patience_s: float = 5.0) -> str:
    """What becomes of a client that connects, says hello and waits so long for each."""
    loop = asyncio.get_running_loop()
    with socket.socket() as s:
        s.setblocking(False)
        try:
            async with asyncio.timeout(patience_s):
                await loop.sock_connect(s, ("127.0.0.1", port))
        except TimeoutError:
            return "no connection"
        except OSError as e:
            return type(e).__name__
        try:
            async with asyncio.timeout(patience_s):
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
PATIENCE_S = {"drop": 0.1, "silence": 0.1}


@pytest.mark.parametrize("first", EXPECTED)
@pytest.mark.parametrize("second", EXPECTED)
async def test_every_state_can_follow_every_other(door, first, second):
    """The port stays the same, and each state is in force for the next client at once."""
    port = door.port
    for arrive in (first, second, "accept"):
        door.arrive = arrive
        assert await visit(port, PATIENCE_S.get(arrive, 5.0)) in EXPECTED[arrive]


async def test_a_closed_door_stays_closed_to_all_and_opens_to_all(door):
    """Forty clients at once: none slips into a full queue, none is lost from an open one."""
    door.arrive = "drop"
    assert set(await asyncio.gather(*(visit(door.port, 0.3) for _ in range(40)))) == EXPECTED["drop"]
    door.arrive = "accept"
    assert set(await asyncio.gather(*(visit(door.port) for _ in range(40)))) == {"hello"}


async def test_whoever_was_connected_before_is_served(door):
    """A client that came just before the change is not counted among the blocked."""
    loop = asyncio.get_running_loop()
    with socket.socket() as s:
        s.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            s.connect(("127.0.0.1", door.port))
        door.arrive = "drop"
        await loop.sock_sendall(s, b"hello")
        async with asyncio.timeout(1):
            assert await loop.sock_recv(s, 100) == b"hello"


async def test_connections_that_nobody_ends_are_swept(door, monkeypatch):
    """A client that falls silent does not hold a socket for ever."""
    loop = asyncio.get_running_loop()
    with socket.socket() as s:
        s.setblocking(False)
        await loop.sock_connect(s, ("127.0.0.1", door.port))
        await asyncio.sleep(0.02)
        door.sweep()
        monkeypatch.setattr("infra.lab.servers.listener._PATIENCE_S", 0.0)
        door.sweep()
        async with asyncio.timeout(1):
            assert await loop.sock_recv(s, 100) == b""

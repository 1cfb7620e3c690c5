"""systemd is told what it asked to be told, over a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys

import pytest

from probe.base.service_notification import keep_notifying, notify, watchdog_s


def listening(address):
    """A service manager's socket."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(address)
    sock.settimeout(5)
    return sock


def test_a_state_reaches_the_managers_socket(tmp_path):
    """A socket in the file system, and on Linux an abstract one, whose name begins with @."""
    path = str(tmp_path / "notify")
    with listening(path) as manager:
        notify("READY=1", {"NOTIFY_SOCKET": path})
        assert manager.recv(100) == b"READY=1"
    if sys.platform == "linux":
        name = f"blockonset-{os.getpid()}"
        with listening(f"\0{name}") as manager:
            notify("WATCHDOG=1", {"NOTIFY_SOCKET": f"@{name}"})
            assert manager.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize("address", [None, "", "/nowhere/notify", "vsock:2:1234", "@nobody-listens", "/" + "x" * 200])
def test_without_a_manager_nothing_happens(address):
    """Other service managers set no variable, and a failure must not end a probe."""
    notify("READY=1", {} if address is None else {"NOTIFY_SOCKET": address})


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "120000000"}, 120.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": str(os.getpid())}, 120.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdogs_period_is_that_of_this_process(environment, seconds):
    """It is in microseconds, and may be meant for another process."""
    assert watchdog_s(environment) == seconds


async def test_the_manager_hears_twice_in_each_period(tmp_path, monkeypatch):
    """For as long as the event loop runs; without a watchdog it hears nothing."""
    path = str(tmp_path / "notify")
    with listening(path) as manager:
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        await asyncio.wait_for(keep_notifying(), 5)
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        notifying = asyncio.create_task(keep_notifying())
        await asyncio.sleep(0.45)
        notifying.cancel()
        manager.setblocking(False)
        heard = []
        with contextlib.suppress(BlockingIOError):
            while True:
                heard.append(manager.recv(100))
    assert set(heard) == {b"WATCHDOG=1"}
    assert 3 <= len(heard) <= 6

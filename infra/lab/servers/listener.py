"""A listening socket on loopback that stands for one address and port, and can accept, refuse, reset or drop.

It uses bare sockets and the event loop's readers: asyncio's transports give no access to accept queues and resets.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
import time
from typing import TYPE_CHECKING

from infra.lab.servers.responders import Reply, Responder, Silent

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from infra.lab.interference import Arrive

BACKLOG = 1024
LOOPBACK = "127.0.0.1"
DROPS_SYNS = sys.platform == "linux"
"""Whether the kernel drops a SYN to a socket whose accept queue is full. Where it refuses instead, `drop` becomes
`silence`: the connection is accepted and never answered."""
_LONGEST_CONNECTION_S = 10.0
_PER_WAKEUP = 64
"""Connections or datagrams taken at most before the event loop continues with other work."""
_PACING_INTERVAL_S = 0.05
"""How often a piece of a paced reply is sent."""
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""Value of SO_LINGER with which closing a connection sends a reset."""


class Listener:
    """One listening socket. `make_responder` is called for each accepted connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, make_responder: Callable[[], Responder]) -> None:
        self._loop = loop
        self._make_responder = make_responder
        self._arrive: Arrive = "accept"
        self._fillers: list[socket.socket] = []
        self._connections: set[AcceptedConnection] = set()
        self._socket = _bound(0)
        self.port: int = self._socket.getsockname()[1]
        self._open()

    @property
    def arrive(self) -> Arrive:
        """How a new connection is treated; `methods.toml` explains the words."""
        return self._arrive

    @arrive.setter
    def arrive(self, arrive: Arrive) -> None:
        if arrive == "drop" and not DROPS_SYNS:
            arrive = "silence"
        if arrive == self._arrive:
            return
        previous, self._arrive = self._arrive, arrive
        if previous == "drop":
            self._stop_dropping()
        if previous == "refuse":
            self._open()
        if arrive == "drop":
            self._start_dropping()
        if arrive == "refuse":
            self._start_refusing()

    def sweep(self) -> None:
        """Close connections that have been open for too long."""
        oldest = time.monotonic() - _LONGEST_CONNECTION_S
        for accepted in [c for c in self._connections if c.opened_s < oldest]:
            accepted.end()

    def close(self) -> None:
        """Close the socket and every connection."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        for filler in self._fillers:
            filler.close()
        for accepted in list(self._connections):
            accepted.end()

    def _open(self) -> None:
        self._socket.listen(BACKLOG)
        self._loop.add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        for _ in range(_PER_WAKEUP):
            try:
                connection, _peer = self._socket.accept()
            except OSError:  # none left, or the client has already left
                return
            if self._arrive == "reset":
                _reset(connection)
                continue
            responder = Silent() if self._arrive == "silence" else self._make_responder()
            self._connections.add(AcceptedConnection(self._loop, connection, responder, self._connections.discard))

    def _start_dropping(self) -> None:
        """Stop accepting and fill the accept queue: the kernel then drops every SYN (Linux)."""
        self._accept()
        self._loop.remove_reader(self._socket)
        self._socket.listen(0)
        for _ in range(2):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((LOOPBACK, self.port))
            self._fillers.append(filler)

    def _stop_dropping(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        self._open()

    def _start_refusing(self) -> None:
        """Keep the port bound without listening on it: the kernel answers a SYN with a reset."""
        self._accept()
        self._loop.remove_reader(self._socket)
        self._socket.close()
        self._socket = _bound(self.port)


class AcceptedConnection:
    """One accepted connection and its responder, until either side ends it. `ended` is called once at the end."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: socket.socket,
        responder: Responder,
        ended: Callable[[AcceptedConnection], None],
    ) -> None:
        connection.setblocking(False)
        self.opened_s = time.monotonic()
        self._loop = loop
        self._connection = connection
        self._responder = responder
        self._ended = ended
        self._unsent = b""
        self._pace = 0
        self._then: str = "continue"
        self._timer: asyncio.TimerHandle | None = None
        loop.add_reader(connection, self._receive)

    def end(self, *, reset: bool = False) -> None:
        """Close, or reset, the connection."""
        self._loop.remove_reader(self._connection)
        self._loop.remove_writer(self._connection)
        if self._timer:
            self._timer.cancel()
        if reset:
            _reset(self._connection)
        else:
            self._connection.close()
        self._ended(self)

    def _receive(self) -> None:
        try:
            data = self._connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.end()
            return
        self._send(self._responder.receive(data))

    def _send(self, reply: Reply) -> None:
        if reply.then == "reset":
            self.end(reset=True)
            return
        if reply.then == "ignore":
            self._responder = Silent()
        self._unsent += reply.data
        self._pace = reply.pace
        if self._then != "close":
            self._then = reply.then
        if not self._timer:
            self._send_more()

    def _send_more(self) -> None:
        """Send what the socket takes now, or one piece at the reply's pace, and schedule the rest."""
        self._loop.remove_writer(self._connection)
        self._timer = None
        count = max(1, round(self._pace * _PACING_INTERVAL_S)) if self._pace else len(self._unsent)
        try:
            sent = self._connection.send(self._unsent[:count]) if self._unsent else 0
        except BlockingIOError:
            sent = 0
        except OSError:  # the client has left
            self.end()
            return
        self._unsent = self._unsent[sent:]
        if self._unsent and self._pace:
            self._timer = self._loop.call_later(_PACING_INTERVAL_S, self._send_more)
        elif self._unsent:
            self._loop.add_writer(self._connection, self._send_more)
        elif self._then == "close":
            self.end()


class UdpListener:
    """A UDP socket. `replies` gives the replies to a datagram, any number of them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, replies: Callable[[bytes], list[bytes]]) -> None:
        self._loop = loop
        self._replies = replies
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((LOOPBACK, 0))
        self.port: int = self._socket.getsockname()[1]
        loop.add_reader(self._socket, self._receive)

    def close(self) -> None:
        """Close the socket."""
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _receive(self) -> None:
        for _ in range(_PER_WAKEUP):
            try:
                query, client = self._socket.recvfrom(4096)
            except OSError:
                return
            for reply in self._replies(query):
                with contextlib.suppress(OSError):
                    self._socket.sendto(reply, client)


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setblocking(False)
    try:
        bound.bind((LOOPBACK, port))
    except OSError as e:
        bound.close()
        raise OSError(e.errno, f"port {port} on {LOOPBACK}: {os.strerror(e.errno or 0)}") from e
    return bound


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    connection.close()

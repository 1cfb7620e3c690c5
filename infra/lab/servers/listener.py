"""A listening socket on loopback that stands for one address and port, and can be open, shut or silent.

Written on bare sockets and the loop's readers: what matters here happens below asyncio's transports.
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
"""Whether a listening socket with a full queue drops a SYN; where it refuses, silence after the accept stands in."""
_PATIENCE_S = 10.0
_AT_ONCE = 64
_SLICE_S = 0.05
"""How often a slice of what is paced goes out."""
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Listener:
    """One listening socket. `welcome` gives the talker for each connection that is let in."""

    def __init__(self, loop: asyncio.AbstractEventLoop, welcome: Callable[[], Responder]) -> None:
        self._loop = loop
        self._welcome = welcome
        self._arrive: Arrive = "accept"
        self._fillers: list[socket.socket] = []
        self._conversations: set[AcceptedConnection] = set()
        self._socket = _bound(0)
        self.port: int = self._socket.getsockname()[1]
        self._open()

    @property
    def arrive(self) -> Arrive:
        """What happens to a connection that arrives now."""
        return self._arrive

    @arrive.setter
    def arrive(self, arrive: Arrive) -> None:
        if arrive == "drop" and not DROPS_SYNS:
            arrive = "silence"
        if arrive == self._arrive:
            return
        before, self._arrive = self._arrive, arrive
        if before == "drop":
            self._unfill()
        if before == "refuse":
            self._open()
        if arrive == "drop":
            self._fill()
        if arrive == "refuse":
            self._refuse()

    def sweep(self) -> None:
        """Close connections that nobody has ended for too long."""
        oldest = time.monotonic() - _PATIENCE_S
        for conversation in [c for c in self._conversations if c.since < oldest]:
            conversation.end()

    def close(self) -> None:
        """Close the socket and every connection."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        for filler in self._fillers:
            filler.close()
        for conversation in list(self._conversations):
            conversation.end()

    def _open(self) -> None:
        self._socket.listen(BACKLOG)
        self._loop.add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _peer = self._socket.accept()
            except OSError:  # none left, or one that went away before we looked
                return
            if self._arrive == "reset":
                _reset(connection)
                continue
            talker = Silent() if self._arrive == "silence" else self._welcome()
            self._conversations.add(AcceptedConnection(self._loop, connection, talker, self._conversations.discard))

    def _fill(self) -> None:
        """Fill the queue of a socket that nobody accepts from: the kernel then drops every SYN (Linux)."""
        self._accept()
        self._loop.remove_reader(self._socket)
        self._socket.listen(0)
        for _ in range(2):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((LOOPBACK, self.port))
            self._fillers.append(filler)

    def _unfill(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        self._open()

    def _refuse(self) -> None:
        """Keep the port without listening on it: the kernel answers a SYN with a reset."""
        self._accept()
        self._loop.remove_reader(self._socket)
        self._socket.close()
        self._socket = _bound(self.port)


class AcceptedConnection:
    """One accepted connection and its talker, until either side ends it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: socket.socket,
        talker: Responder,
        ended: Callable[[AcceptedConnection], None],
    ) -> None:
        connection.setblocking(False)
        self.since = time.monotonic()
        self._loop = loop
        self._connection = connection
        self._talker = talker
        self._ended = ended
        self._unsaid = b""
        self._pace = 0
        self._then: str = "listen"
        self._later: asyncio.TimerHandle | None = None
        loop.add_reader(connection, self._hear)

    def end(self, *, reset: bool = False) -> None:
        """Close, or reset, the connection."""
        self._loop.remove_reader(self._connection)
        self._loop.remove_writer(self._connection)
        if self._later:
            self._later.cancel()
        if reset:
            _reset(self._connection)
        else:
            self._connection.close()
        self._ended(self)

    def _hear(self) -> None:
        try:
            data = self._connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.end()
            return
        self._say(self._talker.hear(data))

    def _say(self, said: Reply) -> None:
        if said.then == "reset":
            self.end(reset=True)
            return
        if said.then == "deaf":
            self._talker = Silent()
        self._unsaid += said.data
        self._pace = said.pace
        if self._then != "close":
            self._then = said.then
        if not self._later:
            self._go_on()

    def _go_on(self) -> None:
        """Send what the socket takes now, or one slice at the pace that is set; the rest later."""
        self._loop.remove_writer(self._connection)
        self._later = None
        slice_ = max(1, round(self._pace * _SLICE_S)) if self._pace else len(self._unsaid)
        try:
            sent = self._connection.send(self._unsaid[:slice_]) if self._unsaid else 0
        except BlockingIOError:
            sent = 0
        except OSError:  # a client that went away needs no answer
            self.end()
            return
        self._unsaid = self._unsaid[sent:]
        if self._unsaid and self._pace:
            self._later = self._loop.call_later(_SLICE_S, self._go_on)
        elif self._unsaid:
            self._loop.add_writer(self._connection, self._go_on)
        elif self._then == "close":
            self.end()


class UdpListener:
    """A UDP socket whose every datagram gets any number of replies."""

    def __init__(self, loop: asyncio.AbstractEventLoop, replies: Callable[[bytes], list[bytes]]) -> None:
        self._loop = loop
        self._replies = replies
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((LOOPBACK, 0))
        self.port: int = self._socket.getsockname()[1]
        loop.add_reader(self._socket, self._hear)

    def close(self) -> None:
        """Close the socket."""
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _hear(self) -> None:
        for _ in range(_AT_ONCE):
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
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    connection.close()

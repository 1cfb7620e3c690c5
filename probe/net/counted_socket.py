"""One connected socket that counts its bytes and raises exact errors."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

_AT_ONCE = 16 * 1024


class CountedSocket:
    """A connected, non-blocking socket: a stream or, for DNS, datagrams. Used with `with`, so that it always closes.

    `sent` and `received` count payload bytes; `heard` is told of every change of `received`.
    """

    heard: Callable[[], None] | None = None

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._stream = sock.type == socket.SOCK_STREAM
        self.sent = 0
        self.received = 0

    @classmethod
    async def persistent(cls, address: tuple[str, int], patience: float) -> Self:
        """Connect over TCP; what stays unanswered for `patience` seconds is tried once more beside it.

        The kernel asks four times within ten seconds, so on a line that loses 10 % each way one connection in 800
        would stay unanswered, and with a second one beside it one in 100,000. Raises OSError.
        """
        first = asyncio.create_task(cls.stream(address))
        tries = {first}
        try:
            await asyncio.wait(tries, timeout=patience)
            if not first.done():
                tries.add(asyncio.create_task(cls.stream(address)))
                await asyncio.wait(tries, return_when=asyncio.FIRST_COMPLETED)
            answered = next(t for t in (first, *tries) if t.done())
            tries.discard(answered)
            return await answered
        finally:
            await _abandon(tries)

    @classmethod
    async def stream(cls, address: tuple[str, int]) -> Self:
        """Connect over TCP. Raises OSError."""
        sock = _socket(address, socket.SOCK_STREAM)
        try:
            await asyncio.get_running_loop().sock_connect(sock, address)
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    @classmethod
    def datagrams(cls, address: tuple[str, int]) -> Self:
        """Bind a UDP socket to one peer: only what bears its address is heard. Raises OSError."""
        sock = _socket(address, socket.SOCK_DGRAM)
        try:
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    async def send(self, data: bytes) -> None:
        """Hand all the bytes to the socket. Raises OSError."""
        await asyncio.get_running_loop().sock_sendall(self._socket, data)
        self.sent += len(data)

    async def receive(self) -> bytes:
        """The next bytes, or the next datagram. Raises EOFError at a stream's end, OSError."""
        data = await asyncio.get_running_loop().sock_recv(self._socket, _AT_ONCE)
        if self._stream and not data:
            raise EOFError
        self.received += len(data)
        if self.heard:
            self.heard()
        return data

    @contextlib.contextmanager
    def hearing(self, take: Callable[[bytes], None], failed: Callable[[OSError], None]) -> Iterator[None]:
        """Pass on datagrams as they come, for as long as it is entered.

        Unlike `receive` it loses none to a timer that ran out while the loop stalled.
        """
        loop = asyncio.get_running_loop()

        def readable() -> None:
            try:
                while True:
                    data = self._socket.recv(_AT_ONCE)
                    self.received += len(data)
                    take(data)
            except BlockingIOError:
                return
            except OSError as e:
                failed(e)

        loop.add_reader(self._socket, readable)
        try:
            yield
        finally:
            readable()  # what came while the loop stalled
            loop.remove_reader(self._socket)

    async def receive_exactly(self, count: int) -> bytes:
        """So many bytes of a stream and none after them."""
        data = b""
        while len(data) < count:
            part = await asyncio.get_running_loop().sock_recv(self._socket, count - len(data))
            if not part:
                raise EOFError
            self.received += len(part)
            data += part
        return data

    def close(self) -> None:
        """Close the socket; more than once does no harm."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


async def _abandon(tries: Collection[asyncio.Task[Any]]) -> None:
    """End connections under way, and close what was made meanwhile."""
    for task in tries:
        task.cancel()
    for made in await asyncio.gather(*tries, return_exceptions=True):
        if isinstance(made, CountedSocket):
            made.close()


def _socket(address: tuple[str, int], kind: socket.SocketKind) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, kind)
    sock.setblocking(False)
    return sock

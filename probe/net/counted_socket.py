"""A connected socket that counts its payload bytes and raises the operating system's own errors."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

_READ_SIZE = 16 * 1024


class CountedSocket:
    """A connected, non-blocking socket: a stream or, for DNS and QUIC, datagrams. Use `with`, which closes it.

    `sent` and `received` count payload bytes; `on_received` is called whenever `received` has grown.
    """

    on_received: Callable[[], None] | None = None

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._is_stream = sock.type == socket.SOCK_STREAM
        self.sent = 0
        self.received = 0

    @classmethod
    async def stream_with_retry(cls, address: tuple[str, int], retry_after_s: float) -> Self:
        """Connect over TCP, with a second attempt beside the first when that is unanswered after `retry_after_s`.

        The kernel sends a SYN four times within ten seconds, so on a line that loses 10 % each way one connection in
        800 would stay unanswered, and with a second attempt one in 100,000. Raises OSError.
        """
        first = asyncio.create_task(cls.stream(address))
        attempts = {first}
        try:
            await asyncio.wait(attempts, timeout=retry_after_s)
            if not first.done():
                attempts.add(asyncio.create_task(cls.stream(address)))
                await asyncio.wait(attempts, return_when=asyncio.FIRST_COMPLETED)
            answered = next(t for t in (first, *attempts) if t.done())
            attempts.discard(answered)
            return await answered
        finally:
            await _abandon(attempts)

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
        """Make a UDP socket that receives only what comes from this address. Raises OSError."""
        sock = _socket(address, socket.SOCK_DGRAM)
        try:
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    async def send(self, data: bytes) -> None:
        """Send all the bytes. Raises OSError."""
        await asyncio.get_running_loop().sock_sendall(self._socket, data)
        self.sent += len(data)

    async def receive(self) -> bytes:
        """The next bytes, or the next datagram. Raises EOFError at a stream's end, OSError."""
        data = await asyncio.get_running_loop().sock_recv(self._socket, _READ_SIZE)
        if self._is_stream and not data:
            raise EOFError
        self.received += len(data)
        if self.on_received:
            self.on_received()
        return data

    @contextlib.contextmanager
    def receiving(self, on_datagram: Callable[[bytes], None], on_error: Callable[[OSError], None]) -> Iterator[None]:
        """Inside the block, call `on_datagram` with each datagram as it arrives, and `on_error` when reading fails.

        Unlike `receive` it misses none when a timer expires while the event loop is stalled.
        """
        loop = asyncio.get_running_loop()

        def read_all() -> None:
            try:
                while True:
                    data = self._socket.recv(_READ_SIZE)
                    self.received += len(data)
                    on_datagram(data)
            except BlockingIOError:
                return
            except OSError as e:
                on_error(e)

        loop.add_reader(self._socket, read_all)
        try:
            yield
        finally:
            read_all()  # what arrived while the loop was stalled
            loop.remove_reader(self._socket)

    async def receive_exactly(self, count: int) -> bytes:
        """The next `count` bytes of a stream. Raises EOFError when it ends before, OSError."""
        data = b""
        while len(data) < count:
            part = await asyncio.get_running_loop().sock_recv(self._socket, count - len(data))
            if not part:
                raise EOFError
            self.received += len(part)
            data += part
        return data

    def close(self) -> None:
        """Close the socket. Calling it again does nothing."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


async def _abandon(attempts: Collection[asyncio.Task[Any]]) -> None:
    """Cancel connection attempts, and close the sockets of those that succeeded meanwhile."""
    for task in attempts:
        task.cancel()
    for result in await asyncio.gather(*attempts, return_exceptions=True):
        if isinstance(result, CountedSocket):
            result.close()


def _socket(address: tuple[str, int], kind: socket.SocketKind) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, kind)
    sock.setblocking(False)
    return sock

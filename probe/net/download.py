"""A bounded download, and how its bytes came over time: enough to tell a throttled service from a slow line."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from probe.net import http1
from probe.protocol.measurement import MARKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.base.clock import Clock
    from probe.net.counted_socket import CountedSocket

LARGEST = 64 * 1024
"""Bytes of an answer, head and body, after which a transfer ends. At 130 kbit/s these take four seconds."""
_STALL = 0.5
"""The part of the allowed time for which nothing may come: after that the connection is dead, and not slow."""


class Channel(Protocol):
    """What bytes come from. `receive` raises EOFError at the end, OSError."""

    async def receive(self) -> bytes:
        """The next bytes."""


async def download(channel: Channel, wire: CountedSocket, clock: Clock, limit: float, facts: dict[str, Any]) -> None:
    """Read an answer up to its end, LARGEST bytes or `limit` seconds; `status`, `length` and `curve` go into `facts`.

    `channel` may be TLS over the wire: a record is read when all of it is there, so time is told by the wire.
    Raises TimeoutError when nothing came at all, or nothing any more for half the time; OSError; EOFError before the
    answer's end; Failed for what is no HTTP.
    """
    raw = bytearray()
    start, before = clock(), wire.received
    came: list[tuple[float, int]] = []
    wire.heard = lambda: came.append((clock(), wire.received - before))
    try:
        async with asyncio.timeout(limit):
            while not _done(raw):
                raw += await channel.receive()
    except TimeoutError:
        if not came or clock() - came[-1][0] >= _STALL * limit * 1000:
            raise
    except EOFError:
        response = http1.parse(bytes(raw))
        if response is None or response.headers.keys() & {"content-length", "transfer-encoding"}:
            raise  # it was to be longer
    finally:
        wire.heard = None
        facts["curve"] = curve(came, start, clock())
        facts["length"] = len(raw)
    if response := http1.parse(bytes(raw)):
        facts["status"] = response.status


def _done(raw: bytearray) -> bool:
    if len(raw) >= LARGEST:
        return True
    response = http1.parse(bytes(raw))
    return response is not None and response.complete


def curve(came: Sequence[tuple[float, int]], start: float, end: float) -> tuple[int, ...]:
    """How many bytes had come by the end of each of MARKS equal parts of the time from `start` to `end` (ms).

    `came` holds (when, how many by then), in order. Empty when nothing came.
    """
    if not came:
        return ()
    marks = [start + (end - start) * n / MARKS for n in range(1, MARKS)]
    return (*(max((size for at, size in came if at <= mark), default=0) for mark in marks), came[-1][1])

"""A bounded download that records how its bytes came over time: it tells a throttled service from a slow line."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from probe.net import http1
from probe.protocol.measurement import MARKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.base.clock import Clock
    from probe.net.counted_socket import CountedSocket
    from probe.net.step import StepFacts

LARGEST = 64 * 1024
"""Bytes of an answer, head and body, after which a transfer ends. At 130 kbit/s these take four seconds."""
_STALL = 0.5
"""Share of the allowed time without any bytes after which the connection counts as dead, not as slow."""


class Channel(Protocol):
    """Something that bytes can be read from: a socket, or TLS over one."""

    async def receive(self) -> bytes:
        """The next bytes. Raises EOFError at the end, OSError."""


async def download(channel: Channel, sock: CountedSocket, clock: Clock, limit_s: float, facts: StepFacts) -> None:
    """Read an answer up to its end, LARGEST bytes or `limit_s` seconds; fills the facts `status`, `length`, `curve`.

    `channel` may be TLS over `sock`: a TLS record can be read only when all of it is there, so the times are taken
    at the socket. Raises TimeoutError when nothing came at all, or nothing any more for half the time; OSError;
    EOFError before the answer's end; ProtocolFailure for what is not HTTP.
    """
    raw = bytearray()
    start, before = clock(), sock.received
    arrivals: list[tuple[float, int]] = []
    sock.on_received = lambda: arrivals.append((clock(), sock.received - before))
    try:
        async with asyncio.timeout(limit_s):
            while not _is_done(raw):
                raw += await channel.receive()
    except TimeoutError:
        if not arrivals or clock() - arrivals[-1][0] >= _STALL * limit_s * 1000:
            raise
    except EOFError:
        response = http1.parse(bytes(raw))
        if response is None or response.headers.keys() & {"content-length", "transfer-encoding"}:
            raise  # the answer announced more than came
    finally:
        sock.on_received = None
        facts["curve"] = curve(arrivals, start, clock())
        facts["length"] = len(raw)
    if response := http1.parse(bytes(raw)):
        facts["status"] = response.status


def _is_done(raw: bytearray) -> bool:
    if len(raw) >= LARGEST:
        return True
    response = http1.parse(bytes(raw))
    return response is not None and response.complete


def curve(arrivals: Sequence[tuple[float, int]], start: float, end: float) -> tuple[int, ...]:
    """How many bytes had come by the end of each of MARKS equal parts of the time from `start` to `end` (ms).

    `arrivals` holds (time in ms, bytes received by then), in order. Empty when nothing came.
    """
    if not arrivals:
        return ()
    marks = [start + (end - start) * n / MARKS for n in range(1, MARKS)]
    return (*(max((size for at, size in arrivals if at <= mark), default=0) for mark in marks), arrivals[-1][1])

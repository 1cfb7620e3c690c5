"""A bounded download that records how its bytes came over time: it tells a throttled service from a slow line."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from probe.net import http_client
from probe.net.page import WebPage
from probe.protocol.measurement import MARKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.base.clock import Clock
    from probe.net.counted_socket import CountedSocket
    from probe.net.http_client import Channel
    from probe.net.step import StepFacts

_STALL = 0.5
"""Share of the allowed time without any bytes after which the connection counts as dead, not as slow."""


async def download(
    channel: Channel, host: str, path: str, sock: CountedSocket, clock: Clock, limit_s: float, facts: StepFacts
) -> None:
    """Ask for a path and read the answer, up to its end, `http_client.LARGEST` bytes or `limit_s` seconds.

    Fills the facts `status`, `length` and `curve`. `channel` may be TLS over `sock`: a TLS record can be read only when
    all of it is there, so the times are taken at the socket. Raises TimeoutError when nothing came at all, or nothing
    any more for half the time; OSError; EOFError before the answer's end; ProtocolFailure for what is not HTTP.
    """
    page = WebPage()
    start, before = clock(), sock.received
    arrivals: list[tuple[float, int]] = []
    sock.on_received = lambda: arrivals.append((clock(), sock.received - before))
    try:
        async with asyncio.timeout(limit_s):
            await http_client.get(channel, host, path, page)
    except TimeoutError:
        if not arrivals or clock() - arrivals[-1][0] >= _STALL * limit_s * 1000:
            raise
    finally:
        sock.on_received = None
        facts["curve"] = curve(arrivals, start, clock())
        facts["length"] = page.received
    if page.is_cut:
        raise EOFError
    if page.status is not None:
        facts["status"] = page.status


def curve(arrivals: Sequence[tuple[float, int]], start: float, end: float) -> tuple[int, ...]:
    """How many bytes had come by the end of each of MARKS equal parts of the time from `start` to `end` (ms).

    `arrivals` holds (time in ms, bytes received by then), in order. Empty when nothing came.
    """
    if not arrivals:
        return ()
    marks = [start + (end - start) * n / MARKS for n in range(1, MARKS)]
    return (*(max((size for at, size in arrivals if at <= mark), default=0) for mark in marks), arrivals[-1][1])

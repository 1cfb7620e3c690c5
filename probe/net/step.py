"""One operation on the network as one step: when it began and ended, what it learned, how it failed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from probe.net import failures
from probe.protocol.measurement import Step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from probe.base.clock import Clock
    from probe.net.counted_socket import CountedSocket

StepFacts = dict[str, Any]
"""What an operation learned, under the names of Step's fields."""


async def timed(work: Callable[[StepFacts], Awaitable[None]], limit: float, clock: Clock, **named: Any) -> Step:
    """Do one operation and make the step of it. What it learned before it failed is kept."""
    facts: StepFacts = {}
    failure = None
    start = clock()
    try:
        async with asyncio.timeout(clock.within(limit)):
            await work(facts)
    except failures.NETWORK_ERRORS as e:
        failure = failures.name(e)
    return Step(start_ms=start, end_ms=clock(), failure=failure, **named, **facts)


@contextlib.contextmanager
def counted(wire: CountedSocket, facts: StepFacts) -> Iterator[None]:
    """Count the payload bytes of one operation."""
    sent, received = wire.sent, wire.received
    try:
        yield
    finally:
        facts["sent"] = facts.get("sent", 0) + wire.sent - sent
        facts["received"] = facts.get("received", 0) + wire.received - received

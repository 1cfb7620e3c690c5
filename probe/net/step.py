"""Runs one network operation and records it as one step: when it began and ended, what it found, how it failed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Required, TypedDict, Unpack

from probe.net import failures
from probe.protocol.measurement import DnsReply, Op, Part, Step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from probe.base.clock import Clock
    from probe.net.counted_socket import CountedSocket


class StepFacts(TypedDict, total=False):
    """What an operation found out: the fields of `Step` that operations fill, under their names there."""

    sent: int
    received: int
    # resolve
    rcode: int
    answers: tuple[str, ...]
    replies: tuple[DnsReply, ...]
    # handshake and quic
    certificate: str
    certificate_failure: str | None
    names: tuple[str, ...]
    # request and transfer
    status: int
    location: str
    length: int
    body_hash: str
    title_hash: str
    fingerprint: str
    curve: tuple[int, ...]


class StepSubject(TypedDict, total=False):
    """What an operation is and what it tests: the fields of `Step` that are known before it begins."""

    part: Part
    op: Required[Op]
    target: Required[str]
    address: str
    via: str


async def run_step(
    operation: Callable[[StepFacts], Awaitable[None]], limit: float, clock: Clock, **subject: Unpack[StepSubject]
) -> Step:
    """Run one operation for at most `limit` seconds and return its step.

    The operation writes what it finds into the facts it is called with; what it wrote before it failed is kept.
    """
    facts: StepFacts = {}
    failure = None
    start = clock()
    try:
        async with asyncio.timeout(clock.within(limit)):
            await operation(facts)
    except failures.NETWORK_ERRORS as e:
        failure = failures.name(e)
    return Step(start_ms=start, end_ms=clock(), failure=failure, **subject, **facts)


@contextlib.contextmanager
def count_bytes(sock: CountedSocket, facts: StepFacts) -> Iterator[None]:
    """Add the payload bytes that a socket carries inside the block to the facts `sent` and `received`."""
    sent, received = sock.sent, sock.received
    try:
        yield
    finally:
        facts["sent"] = facts.get("sent", 0) + sock.sent - sent
        facts["received"] = facts.get("received", 0) + sock.received - received

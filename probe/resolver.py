"""Asking a DNS server, so that every reply is seen: the late and the forged ones too.

A stub resolver takes the first reply and closes its ears. Here the socket stays open a little longer: a second,
different reply to one query means that somebody on the way answered in the server's place.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import struct
from typing import TYPE_CHECKING, Any

import dns.exception
import dns.flags
import dns.message
import dns.rdataclass
import dns.rdatatype

from probe import failures
from probe.addresses import is_bogon
from probe.failures import Failed
from probe.measurement import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probe.clock import Clock
    from probe.wire import Wire

_ASKS = 2
"""Datagrams get lost: a query that stays unanswered for half the timeout is asked once more."""
_MOST_REPLIES = 8
_MOST_ANSWERS = 32
"""What is kept of a flood."""


class Ear:
    """Sorts what arrives after a query: `replies` to it, in order of arrival, and `problem`, the last of the rest.

    Only replies to the query that was answered first are kept: two queries may rightly have different answers.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked: dict[int, float] = {}
        self._answered: int | None = None
        self.replies: list[Reply] = []
        self.problem: Failed | None = None

    def question(self, host: str) -> bytes:
        """A query for a name's IPv4 addresses, as a stub resolver asks, under an id of its own."""
        message = dns.message.make_query(host, dns.rdatatype.A, id=secrets.randbits(16))
        self._asked[message.id] = self._clock()
        return message.to_wire()

    def hear(self, wire: bytes) -> None:
        """Take in one message."""
        try:
            message = dns.message.from_wire(wire, ignore_trailing=True)
        except (dns.exception.DNSException, ValueError, struct.error):
            self.problem = Failed(failures.DNS_MISBEHAVING)
            return
        if message.id not in self._asked or not message.flags & dns.flags.QR:
            self.problem = Failed(failures.DNS_WRONG_ID)
            return
        if self._answered is None:
            self._answered = message.id
        if message.id == self._answered and len(self.replies) < _MOST_REPLIES:
            self.replies.append(_reply(message, round(self._clock() - self._asked[message.id], 3)))

    @contextlib.contextmanager
    def into(self, facts: dict[str, Any]) -> Iterator[None]:
        """Leave the facts of a resolve step in `facts`. Raises Failed when the first reply is a failure."""
        try:
            yield
        finally:
            if self.replies:
                first = self.replies[0]
                facts.update(rcode=first.rcode, answers=first.answers, replies=tuple(self.replies))
        if failure := _failure_of(self.replies[0]):
            raise Failed(failure)


async def ask_datagrams(wire: Wire, host: str, ear: Ear, wait: float, linger: float) -> None:
    """Ask over UDP and listen for `linger` seconds after the first reply.

    Raises TimeoutError when none came within `wait` seconds, OSError, or Failed when what came was no reply to it.
    """
    for _ in range(_ASKS):
        await wire.send(ear.question(host))
        try:
            async with asyncio.timeout(wait / _ASKS):
                while not ear.replies:
                    ear.hear(await wire.receive())
        except TimeoutError:
            continue
        break
    if not ear.replies:
        raise ear.problem or TimeoutError
    try:
        async with asyncio.timeout(linger):
            while True:
                ear.hear(await wire.receive())
    except (TimeoutError, OSError):
        return


async def ask_stream(wire: Wire, host: str, ear: Ear) -> None:
    """Ask over TCP, where nobody can add a second reply. Raises OSError, EOFError or Failed."""
    question = ear.question(host)
    await wire.send(struct.pack("!H", len(question)) + question)
    (length,) = struct.unpack("!H", await wire.receive_exactly(2))
    ear.hear(await wire.receive_exactly(length))
    if ear.problem:
        raise ear.problem


def _failure_of(reply: Reply) -> str | None:
    """How a reply is a failure, or None: by its code, for want of addresses, or for one that no service can have."""
    if reply.rcode:
        return failures.of_rcode(reply.rcode)
    if not reply.answers:
        return failures.DNS_NO_ANSWER
    return failures.DNS_BOGON if any(is_bogon(a) for a in reply.answers) else None


def _reply(message: dns.message.Message, ms: float) -> Reply:
    found = [
        rrset
        for rrset in message.answer
        if rrset.rdclass == dns.rdataclass.IN and rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
    ]
    answers = {str(rdata.address) for rrset in found for rdata in rrset}
    ttl = min((rrset.ttl for rrset in found), default=0)
    return Reply(ms=ms, rcode=int(message.rcode()), answers=tuple(sorted(answers)[:_MOST_ANSWERS]), ttl=ttl)

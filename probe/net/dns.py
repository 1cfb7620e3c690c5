"""Asking a DNS server, so that every reply is seen: the late and the forged ones too.

A stub resolver takes the first reply and closes its ears. Here the socket stays open a little longer: a second,
different reply to one query means that somebody on the way answered in the server's place.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import struct
from typing import TYPE_CHECKING, Any, Literal

import dns.exception
import dns.flags
import dns.message
import dns.rdataclass
import dns.rdatatype

from probe.net import failures
from probe.net.counted_socket import CountedSocket
from probe.net.failures import ProtocolFailure
from probe.protocol.addresses import is_bogon
from probe.protocol.measurement import DnsReply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probe.base.clock import Clock

_ASKS = 6
"""Datagrams get lost: a query that stays unanswered for a sixth of the timeout is asked again. On a line that loses 2 %
each way one run in 600 would lose two; on one that loses 10 % each way one in 20,000 loses six."""
_MOST_REPLIES = 8
_MOST_ANSWERS = 32
"""What is kept of a flood."""


class ReplyListener:
    """Sorts what arrives after a query: `replies` to it, in order of arrival, and `problem`, the last of the rest.

    Only replies to the query that was answered first are kept: two queries may rightly have different answers.
    `truncated` is a reply that was cut short to fit a datagram: not the answer while TCP may give it (RFC 2181 §9).
    """

    def __init__(self, clock: Clock, family: Literal[4, 6] = 4) -> None:
        self._clock = clock
        self._rdtype = dns.rdatatype.A if family == 4 else dns.rdatatype.AAAA
        self.truncated: DnsReply | None = None
        self._asked: dict[int, float] = {}
        self._answered: int | None = None
        self.replies: list[DnsReply] = []
        self.problem: ProtocolFailure | None = None

    def question(self, host: str) -> bytes:
        """A query for a name's addresses of one family, as a stub resolver asks, under an id of its own."""
        message = dns.message.make_query(host, self._rdtype, id=secrets.randbits(16))
        self._asked[message.id] = self._clock()
        return message.to_wire()

    def hear(self, wire: bytes, *, whole: bool = False) -> None:
        """Take in one message, which over a stream is whole whatever it says."""
        try:
            message = dns.message.from_wire(wire, ignore_trailing=True)
        except (dns.exception.DNSException, ValueError, struct.error):
            self.problem = ProtocolFailure(failures.DNS_MISBEHAVING)
            return
        if message.id not in self._asked or not message.flags & dns.flags.QR:
            self.problem = ProtocolFailure(failures.DNS_WRONG_ID)
            return
        reply = _reply(message, round(self._clock() - self._asked[message.id], 3))
        if message.flags & dns.flags.TC and not whole:
            self.truncated = reply
            return
        if self._answered is None:
            self._answered = message.id
        if message.id == self._answered and len(self.replies) < _MOST_REPLIES:
            self.replies.append(reply)

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
            raise ProtocolFailure(failure)


async def ask_datagrams(wire: CountedSocket, host: str, ear: ReplyListener, wait: float, linger: float) -> None:
    """Ask over UDP and listen for `linger` seconds after the first reply.

    Raises TimeoutError when none came within `wait` seconds, OSError, or Failed when what came was no reply to it.
    """
    something = asyncio.Event()
    trouble: list[OSError] = []

    def take(data: bytes) -> None:
        ear.hear(data)
        if ear.replies or ear.truncated:
            something.set()

    def failed(error: OSError) -> None:
        trouble.append(error)
        something.set()

    with wire.hearing(take, failed):
        for _ in range(_ASKS):
            await wire.send(ear.question(host))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(something.wait(), wait / _ASKS)
            if something.is_set():
                break
        if ear.replies:
            await asyncio.sleep(linger)
    if not (ear.replies or ear.truncated):
        raise trouble[0] if trouble else ear.problem or TimeoutError()


async def ask_again(server: tuple[str, int], host: str, ear: ReplyListener, wait: float) -> None:
    """Ask over TCP what did not fit a datagram. Where nobody serves TCP within `wait` seconds, what did must do."""
    assert ear.truncated is not None
    with contextlib.suppress(*failures.NETWORK_ERRORS):
        async with asyncio.timeout(wait):
            with await CountedSocket.stream(server) as wire:
                await ask_stream(wire, host, ear)
    if not ear.replies:
        ear.replies.append(ear.truncated)


async def ask_stream(wire: CountedSocket, host: str, ear: ReplyListener) -> None:
    """Ask over TCP, where nobody can add a second reply. Raises OSError, EOFError or Failed."""
    question = ear.question(host)
    await wire.send(struct.pack("!H", len(question)) + question)
    (length,) = struct.unpack("!H", await wire.receive_exactly(2))
    ear.hear(await wire.receive_exactly(length), whole=True)
    if ear.problem:
        raise ear.problem


def _failure_of(reply: DnsReply) -> str | None:
    """How a reply is a failure, or None: by its code, for want of addresses, or for one that no service can have."""
    if reply.rcode:
        return failures.of_rcode(reply.rcode)
    if not reply.answers:
        return failures.DNS_NO_ANSWER
    return failures.DNS_BOGON if any(is_bogon(a) for a in reply.answers) else None


def _reply(message: dns.message.Message, ms: float) -> DnsReply:
    found = [
        rrset
        for rrset in message.answer
        if rrset.rdclass == dns.rdataclass.IN and rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
    ]
    answers = {str(rdata.address) for rrset in found for rdata in rrset}
    ttl = min((rrset.ttl for rrset in found), default=0)
    return DnsReply(ms=ms, rcode=int(message.rcode()), answers=tuple(sorted(answers)[:_MOST_ANSWERS]), ttl=ttl)

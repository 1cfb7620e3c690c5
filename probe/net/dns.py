"""Queries to a DNS server that record every reply, late and forged ones too.

A stub resolver takes the first reply and stops listening. Here the socket stays open a little longer: a second,
different reply to one query means that somebody on the path answered in the server's place.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import struct
from typing import TYPE_CHECKING, Literal

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
    from probe.net.step import StepFacts

_ATTEMPTS = 6
"""Datagrams get lost: a query that stays unanswered for a sixth of the timeout is sent again. On a line that loses 2 %
each way one run in 600 would lose two; on one that loses 10 % each way one in 20,000 loses six."""
_MOST_REPLIES = 8
_MOST_ANSWERS = 32
"""Limits on what is kept when a server, or somebody in its place, sends a flood."""


class ReplyListener:
    """Sorts the messages that arrive after a query.

    `replies` holds the replies in order of arrival, all to the query that was answered first: two queries may rightly
    have different answers. `problem` is the last message that was no reply. `truncated` is a reply that was cut to fit
    a datagram: it counts only where TCP gives no whole one (RFC 2181 §9).
    """

    def __init__(self, clock: Clock, family: Literal[4, 6] = 4) -> None:
        self._clock = clock
        self._rdtype = dns.rdatatype.A if family == 4 else dns.rdatatype.AAAA
        self._sent_ms: dict[int, float] = {}
        self._answered_id: int | None = None
        self.replies: list[DnsReply] = []
        self.truncated: DnsReply | None = None
        self.problem: ProtocolFailure | None = None

    def query(self, host: str) -> bytes:
        """A new query for a name's addresses of one family, as a stub resolver sends it, with a random id."""
        message = dns.message.make_query(host, self._rdtype, id=secrets.randbits(16))
        self._sent_ms[message.id] = self._clock()
        return message.to_wire()

    def take(self, data: bytes, *, over_tcp: bool = False) -> None:
        """Sort one received message. Over TCP none is truncated, whatever its flag says."""
        try:
            message = dns.message.from_wire(data, ignore_trailing=True)
        except (dns.exception.DNSException, ValueError, struct.error):
            self.problem = ProtocolFailure(failures.DNS_MISBEHAVING)
            return
        if message.id not in self._sent_ms or not message.flags & dns.flags.QR:
            self.problem = ProtocolFailure(failures.DNS_WRONG_ID)
            return
        reply = _reply(message, round(self._clock() - self._sent_ms[message.id], 3))
        if message.flags & dns.flags.TC and not over_tcp:
            self.truncated = reply
            return
        if self._answered_id is None:
            self._answered_id = message.id
        if message.id == self._answered_id and len(self.replies) < _MOST_REPLIES:
            self.replies.append(reply)

    @contextlib.contextmanager
    def record_into(self, facts: StepFacts) -> Iterator[None]:
        """Write the facts of a resolve step when the block ends, and judge the first reply.

        Raises ProtocolFailure when that reply is a failure.
        """
        try:
            yield
        finally:
            if self.replies:
                first = self.replies[0]
                facts["rcode"], facts["answers"], facts["replies"] = first.rcode, first.answers, tuple(self.replies)
        if failure := _failure_of(self.replies[0]):
            raise ProtocolFailure(failure)


async def query_udp(sock: CountedSocket, host: str, listener: ReplyListener, wait_s: float, linger_s: float) -> None:
    """Ask over UDP, then listen for `linger_s` seconds after the first reply.

    Raises TimeoutError when none came within `wait_s` seconds, OSError, or ProtocolFailure when only other messages
    came.
    """
    something_came = asyncio.Event()
    errors: list[OSError] = []

    def on_datagram(data: bytes) -> None:
        listener.take(data)
        if listener.replies or listener.truncated:
            something_came.set()

    def on_error(error: OSError) -> None:
        errors.append(error)
        something_came.set()

    with sock.receiving(on_datagram, on_error):
        for _ in range(_ATTEMPTS):
            await sock.send(listener.query(host))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(something_came.wait(), wait_s / _ATTEMPTS)
            if something_came.is_set():
                break
        if listener.replies:
            await asyncio.sleep(linger_s)
    if not (listener.replies or listener.truncated):
        raise errors[0] if errors else listener.problem or TimeoutError()


async def retry_over_tcp(server: tuple[str, int], host: str, listener: ReplyListener, wait_s: float) -> None:
    """Ask again over TCP after a truncated reply, which is used itself where TCP gives none within `wait_s` seconds."""
    assert listener.truncated is not None
    with contextlib.suppress(*failures.NETWORK_ERRORS):
        async with asyncio.timeout(wait_s):
            with await CountedSocket.stream(server) as sock:
                await query_tcp(sock, host, listener)
    if not listener.replies:
        listener.replies.append(listener.truncated)


async def query_tcp(sock: CountedSocket, host: str, listener: ReplyListener) -> None:
    """Ask over TCP, where nobody can add a second reply. Raises OSError, EOFError or ProtocolFailure."""
    query = listener.query(host)
    await sock.send(struct.pack("!H", len(query)) + query)
    (length,) = struct.unpack("!H", await sock.receive_exactly(2))
    listener.take(await sock.receive_exactly(length), over_tcp=True)
    if listener.problem:
        raise listener.problem


def _failure_of(reply: DnsReply) -> str | None:
    """The failure in a reply, or None: an error code, no addresses, or an address that no service can have."""
    if reply.rcode:
        return failures.of_rcode(reply.rcode)
    if not reply.answers:
        return failures.DNS_NO_ANSWER
    return failures.DNS_BOGON if any(is_bogon(a) for a in reply.answers) else None


def _reply(message: dns.message.Message, ms: float) -> DnsReply:
    address_sets = [
        rrset
        for rrset in message.answer
        if rrset.rdclass == dns.rdataclass.IN and rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
    ]
    answers = {str(rdata.address) for rrset in address_sets for rdata in rrset}
    ttl = min((rrset.ttl for rrset in address_sets), default=0)
    return DnsReply(ms=ms, rcode=int(message.rcode()), answers=tuple(sorted(answers)[:_MOST_ANSWERS]), ttl=ttl)

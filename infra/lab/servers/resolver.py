"""DNS: the provider's own resolver (UDP), whose answers may be forged, and a truthful one abroad (TCP)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from infra.lab.servers.responders import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.lab.interference import Interference

TTL = 1
"""Seconds. Nothing in the lab caches, so a change is visible at once."""


class Zone:
    """The country's names and addresses, and the service's name, for which a censoring resolver answers falsely."""

    def __init__(self, names: Mapping[str, tuple[str, ...]], service: str, block_server: str) -> None:
        self._names = {f"{host}.": addresses for host, addresses in names.items()}
        self._service = f"{service}."
        self._forged = (block_server,)

    def true_reply(self, query: bytes) -> bytes | None:
        """The true reply to a query, both in DNS wire format; None if `query` is no DNS query."""
        parsed = _parse(query)
        return None if parsed is None else self._reply(parsed, self._names.get(_name(parsed)))

    def replies(self, query: bytes, interference: Interference) -> list[bytes]:
        """All replies that a client of the provider's resolver receives, in order; none if `query` is no DNS query."""
        parsed = _parse(query)
        if parsed is None:
            return []
        name = _name(parsed)
        true = self._reply(parsed, self._names.get(name))
        is_concerned = interference.touches("other") or (interference.touches("web") and name == self._service)
        if not is_concerned or interference.dns == "answer":
            return [true]
        if interference.dns == "nxdomain":
            return [self._reply(parsed, None)]
        if interference.dns == "ignore":
            return []
        forged = self._reply(parsed, self._forged)
        return [forged] if interference.dns == "forge" else [forged, true]

    def _reply(self, query: dns.message.Message, addresses: tuple[str, ...] | None) -> bytes:
        reply = dns.message.make_response(query, recursion_available=True)
        if addresses is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
            return reply.to_wire()
        question = query.question[0]
        of_family = [a for a in addresses if (":" in a) == (question.rdtype == dns.rdatatype.AAAA)]
        if of_family and question.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
            reply.answer.append(dns.rrset.from_text_list(question.name, TTL, "IN", question.rdtype, of_family))
        return reply.to_wire()


class DnsOverTcp:
    """The resolver abroad, over TCP: each message is preceded by its length (RFC 1035 §4.2.2)."""

    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        self._answer = answer
        self._received = b""

    def receive(self, data: bytes) -> Reply:
        """Answer each complete query."""
        self._received += data
        replies = b""
        while len(self._received) >= 2:
            (length,) = struct.unpack_from("!H", self._received)
            if len(self._received) < 2 + length:
                break
            reply = self._answer(self._received[2 : 2 + length])
            self._received = self._received[2 + length :]
            if reply is None:
                return Reply(replies, "close")
            replies += struct.pack("!H", len(reply)) + reply
        return Reply(replies)


def _parse(query: bytes) -> dns.message.Message | None:
    try:
        parsed = dns.message.from_wire(query)
    except (dns.exception.DNSException, ValueError):
        return None
    return parsed if len(parsed.question) == 1 and not parsed.flags & dns.flags.QR else None


def _name(query: dns.message.Message) -> str:
    return query.question[0].name.to_text().lower()

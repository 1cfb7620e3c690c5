"""Resolvers: the provider's own over UDP, which may lie, and one abroad over TCP, which does not."""

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
"""Seconds. Nothing here caches, so a change shows at once."""


class Zone:
    """The country's names and addresses, and the one name that a lying resolver lies about."""

    def __init__(self, names: Mapping[str, tuple[str, ...]], service: str, block_server: str) -> None:
        self._names = {f"{host}.": addresses for host, addresses in names.items()}
        self._service = f"{service}."
        self._forged = (block_server,)

    def honest(self, query: bytes) -> bytes | None:
        """The true reply to a query's bytes; None for what is no query."""
        asked = _parse(query)
        return None if asked is None else self._reply(asked, self._names.get(_name(asked)))

    def replies(self, query: bytes, interference: Interference) -> list[bytes]:
        """Every reply that a client of the provider's resolver gets, in order."""
        asked = _parse(query)
        if asked is None:
            return []
        name = _name(asked)
        true = self._reply(asked, self._names.get(name))
        touched = interference.touches("other") or (interference.touches("web") and name == self._service)
        if not touched or interference.dns == "answer":
            return [true]
        if interference.dns == "nxdomain":
            return [self._reply(asked, None)]
        if interference.dns == "ignore":
            return []
        forged = self._reply(asked, self._forged)
        return [forged] if interference.dns == "forge" else [forged, true]

    def _reply(self, query: dns.message.Message, addresses: tuple[str, ...] | None) -> bytes:
        reply = dns.message.make_response(query, recursion_available=True)
        if addresses is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
            return reply.to_wire()
        asked = query.question[0]
        fit = [a for a in addresses if (":" in a) == (asked.rdtype == dns.rdatatype.AAAA)]
        if fit and asked.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
            reply.answer.append(dns.rrset.from_text_list(asked.name, TTL, "IN", asked.rdtype, fit))
        return reply.to_wire()


class DnsOverTcp:
    """The resolver abroad: queries with their length before them (RFC 1035 §4.2.2)."""

    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        self._answer = answer
        self._heard = b""

    def hear(self, data: bytes) -> Reply:
        """Answer each whole query."""
        self._heard += data
        out = b""
        while len(self._heard) >= 2:
            (length,) = struct.unpack_from("!H", self._heard)
            if len(self._heard) < 2 + length:
                break
            reply = self._answer(self._heard[2 : 2 + length])
            self._heard = self._heard[2 + length :]
            if reply is None:
                return Reply(out, "close")
            out += struct.pack("!H", len(reply)) + reply
        return Reply(out)


def _parse(query: bytes) -> dns.message.Message | None:
    try:
        asked = dns.message.from_wire(query)
    except (dns.exception.DNSException, ValueError):
        return None
    return asked if len(asked.question) == 1 and not asked.flags & dns.flags.QR else None


def _name(query: dns.message.Message) -> str:
    return query.question[0].name.to_text().lower()

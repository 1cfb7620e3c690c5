"""What the far end of a connection answers: one small class per protocol, without a socket.

A responder is given the bytes that arrived and returns a `Reply`: bytes to send, and what to do with the connection.
"""

from __future__ import annotations

import secrets
import ssl
import struct
import time
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from infra.lab.servers.client_hello import server_name
from infra.lab.servers.mtproto_server import NotMtprotoError, ServedTransport

if TYPE_CHECKING:
    from collections.abc import Callable


class Reply(NamedTuple):
    """Bytes to send, and what to do with the connection afterwards.

    `then` is `continue`, `close`, `reset`, or `ignore`: keep the connection open and never answer again.
    `pace` is the most bytes sent per second; 0 means no limit.
    """

    data: bytes = b""
    then: Literal["continue", "close", "reset", "ignore"] = "continue"
    pace: int = 0


class Responder(Protocol):
    """The far end of one connection."""

    def receive(self, data: bytes) -> Reply:
        """The reply to the bytes that arrived, of which there is at least one."""


class Silent:
    """Accepts everything and never answers."""

    def receive(self, data: bytes) -> Reply:  # noqa: ARG002 - the answer is the same for all bytes
        """No answer, now or later."""
        return Reply(then="ignore")


class Resets:
    """Resets the connection as soon as any bytes arrive."""

    def receive(self, data: bytes) -> Reply:  # noqa: ARG002 - the answer is the same for all bytes
        """A reset."""
        return Reply(then="reset")


class NameFilter:
    """A middlebox that resets the connection if the server name in the TLS ClientHello is `forbidden`.

    Everything else is passed on to the far end unchanged.
    """

    def __init__(self, forbidden: str, far_end: Responder) -> None:
        self._forbidden = forbidden
        self._far_end = far_end
        self._hello: bytes | None = b""

    def receive(self, data: bytes) -> Reply:
        """Wait for the complete ClientHello, then reset or pass on."""
        if self._hello is None:
            return self._far_end.receive(data)
        self._hello += data
        name = server_name(self._hello)
        if name is None:
            return Reply()
        if name == self._forbidden:
            return Reply(then="reset")
        data, self._hello = self._hello, None
        return self._far_end.receive(data)


class Paced:
    """A middlebox that limits the far end's answers to `rate` bytes per second."""

    def __init__(self, rate: int, far_end: Responder) -> None:
        self._rate = rate
        self._far_end = far_end

    def receive(self, data: bytes) -> Reply:
        """The far end's reply, at the limited rate."""
        return self._far_end.receive(data)._replace(pace=self._rate)


class Tls:
    """The server's side of TLS. Decrypted bytes are answered by the responder `inner`."""

    def __init__(self, context: ssl.SSLContext, inner: Responder) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._inner = inner
        self._open = False

    def receive(self, data: bytes) -> Reply:
        """Continue the handshake, or pass decrypted bytes to the inner responder."""
        self._incoming.write(data)
        try:
            if not self._open:
                self._tls.do_handshake()
                self._open = True
            decrypted = self._tls.read(65536)
        except ssl.SSLWantReadError:
            return Reply(self._outgoing.read())
        except ssl.SSLError:  # the client left, or rejects the certificate
            return Reply(self._outgoing.read(), "close")
        if not decrypted:
            return Reply(self._outgoing.read(), "close")
        reply = self._inner.receive(decrypted)
        if reply.data:
            self._tls.write(reply.data)
        return Reply(self._outgoing.read(), reply.then)


class Http:
    """A web server for one request per connection; `respond` makes the response from the host and the path."""

    _LIMIT = 8192

    def __init__(self, respond: Callable[[str, str], bytes]) -> None:
        self._respond = respond
        self._request = b""

    def receive(self, data: bytes) -> Reply:
        """Wait for the end of the request's header, then answer and close."""
        self._request += data
        head, end, _ = self._request.partition(b"\r\n\r\n")
        if not end:
            return Reply(then="close" if len(self._request) > self._LIMIT else "continue")
        first, *fields = head.decode("latin-1").split("\r\n")
        words = first.split(" ")
        host = next((f[5:].strip() for f in fields if f[:5].lower() == "host:"), "")
        return Reply(self._respond(host, words[1] if len(words) == 3 else "/"), "close")


def response(status: str, body: str, *fields: str) -> bytes:
    """An HTTP/1.1 response with an HTML body."""
    raw = body.encode()
    lines = [f"HTTP/1.1 {status}", *fields, "Content-Type: text/html; charset=utf-8"]
    return "\r\n".join([*lines, f"Content-Length: {len(raw)}", "Connection: close", "", ""]).encode() + raw


class Mtproto:
    """The first exchange of MTProto over any of its transports: `req_pq_multi` is answered with `resPQ`.

    Layout: https://core.telegram.org/mtproto/auth_key.
    """

    REQ_PQ_MULTI = 0xBE7E8EF1
    RES_PQ = 0x05162463
    VECTOR = 0x1CB5C415
    PRIMES = (1073741827, 1073741831, 1073741833, 1073741839, 1073741843, 1073741857)
    """The six smallest primes above 2^30; pq is the product of two of them."""
    FINGERPRINT = 0x6C61622D6B657931
    """Fingerprint of an RSA key; the lab's handshake ends before the key would be used."""

    def __init__(self) -> None:
        self._transport = ServedTransport()

    def receive(self, data: bytes) -> Reply:
        """Answer one complete request; anything but MTProto closes the connection, as the real service does."""
        try:
            self._transport.receive(data)
        except NotMtprotoError:
            return Reply(then="close")
        message = self._transport.message()
        if message is None:
            return Reply()
        if len(message) != 40:
            return Reply(then="close")
        key_id, _, size, constructor, nonce = struct.unpack("<qqiI16s", message)
        if (key_id, size, constructor) != (0, 20, self.REQ_PQ_MULTI):
            return Reply(then="close")
        return Reply(self._transport.frame(self._res_pq(nonce)))

    def _res_pq(self, nonce: bytes) -> bytes:
        p, q = secrets.SystemRandom().sample(self.PRIMES, 2)
        pq = (p * q).to_bytes(8, "big")
        body = struct.pack("<I16s16s", self.RES_PQ, nonce, secrets.token_bytes(16))
        body += bytes([len(pq)]) + pq + bytes(3)  # a TL string is padded to a multiple of 4 bytes
        body += struct.pack("<IiQ", self.VECTOR, 1, self.FINGERPRINT)
        message_id = (time.time_ns() * 2**32 // 10**9) // 4 * 4 + 1  # ids of a server's responses are 1 modulo 4
        return struct.pack("<qqi", 0, message_id, len(body)) + body

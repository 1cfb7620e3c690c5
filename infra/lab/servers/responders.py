"""What the far end of a connection says: one small class a protocol, without any socket.

A talker hears the bytes that arrived and answers with `Said`: bytes to send, and what to do with the connection then.
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
    """`then`: listen on, `close`, `reset`, or be `deaf`: keep the connection and never answer again.

    `pace` is how many bytes a second go out at most; 0 is as many as the socket takes.
    """

    data: bytes = b""
    then: Literal["listen", "close", "reset", "deaf"] = "listen"
    pace: int = 0


class Responder(Protocol):
    """One side of one connection."""

    def hear(self, data: bytes) -> Reply:
        """Take the bytes that arrived, never empty."""


class Silent:
    """Hears everything and never answers."""

    def hear(self, data: bytes) -> Reply:  # noqa: ARG002 - that is its nature
        """Nothing."""
        return Reply(then="deaf")


class Resets:
    """Resets the connection as soon as it hears anything."""

    def hear(self, data: bytes) -> Reply:  # noqa: ARG002 - that is its nature
        """A reset."""
        return Reply(then="reset")


class NameFilter:
    """A box that reads the server name of a TLS ClientHello and resets the connection when it is forbidden.

    Everything else is passed on to the far end unchanged.
    """

    def __init__(self, forbidden: str, far_end: Responder) -> None:
        self._forbidden = forbidden
        self._far_end = far_end
        self._hello: bytes | None = b""

    def hear(self, data: bytes) -> Reply:
        """Wait for the whole ClientHello, then decide."""
        if self._hello is None:
            return self._far_end.hear(data)
        self._hello += data
        name = server_name(self._hello)
        if name is None:
            return Reply()
        if name == self._forbidden:
            return Reply(then="reset")
        data, self._hello = self._hello, None
        return self._far_end.hear(data)


class Paced:
    """A box that lets the far end's answers through at so many bytes a second."""

    def __init__(self, rate: int, far_end: Responder) -> None:
        self._rate = rate
        self._far_end = far_end

    def hear(self, data: bytes) -> Reply:
        """What the far end says, slowly."""
        return self._far_end.hear(data)._replace(pace=self._rate)


class Tls:
    """The server's end of TLS, with another talker inside."""

    def __init__(self, context: ssl.SSLContext, inner: Responder) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._inner = inner
        self._open = False

    def hear(self, data: bytes) -> Reply:
        """Go on with the handshake, or pass the decrypted bytes on."""
        self._incoming.write(data)
        try:
            if not self._open:
                self._tls.do_handshake()
                self._open = True
            heard = self._tls.read(65536)
        except ssl.SSLWantReadError:
            return Reply(self._outgoing.read())
        except ssl.SSLError:  # a client that went away, or doesn't like the certificate
            return Reply(self._outgoing.read(), "close")
        if not heard:
            return Reply(self._outgoing.read(), "close")
        said = self._inner.hear(heard)
        if said.data:
            self._tls.write(said.data)
        return Reply(self._outgoing.read(), said.then)


class Http:
    """A web server: one request, one response, by a function of the host and the path asked for."""

    _LIMIT = 8192

    def __init__(self, respond: Callable[[str, str], bytes]) -> None:
        self._respond = respond
        self._request = b""

    def hear(self, data: bytes) -> Reply:
        """Wait for the end of the request's head, then answer and close."""
        self._request += data
        head, end, _ = self._request.partition(b"\r\n\r\n")
        if not end:
            return Reply(then="close" if len(self._request) > self._LIMIT else "listen")
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
    """The opening of MTProto over any of its transports: `req_pq_multi` is answered by `resPQ`.

    Layout: https://core.telegram.org/mtproto/auth_key.
    """

    REQ_PQ_MULTI = 0xBE7E8EF1
    RES_PQ = 0x05162463
    VECTOR = 0x1CB5C415
    PRIMES = (1073741827, 1073741831, 1073741833, 1073741839, 1073741843, 1073741857)
    """The six least primes above 2^30: pq is the product of two."""
    FINGERPRINT = 0x6C61622D6B657931
    """Of the service's RSA key, which nothing here goes on to use."""

    def __init__(self) -> None:
        self._carrier = ServedTransport()

    def hear(self, data: bytes) -> Reply:
        """Answer one whole request; anything that isn't MTProto ends the connection, as the real service does."""
        try:
            self._carrier.hear(data)
        except NotMtprotoError:
            return Reply(then="close")
        message = self._carrier.message()
        if message is None:
            return Reply()
        if len(message) != 40:
            return Reply(then="close")
        key_id, _, size, constructor, nonce = struct.unpack("<qqiI16s", message)
        if (key_id, size, constructor) != (0, 20, self.REQ_PQ_MULTI):
            return Reply(then="close")
        return Reply(self._carrier.frame(self._res_pq(nonce)))

    def _res_pq(self, nonce: bytes) -> bytes:
        p, q = secrets.SystemRandom().sample(self.PRIMES, 2)
        pq = (p * q).to_bytes(8, "big")
        body = struct.pack("<I16s16s", self.RES_PQ, nonce, secrets.token_bytes(16))
        body += bytes([len(pq)]) + pq + bytes(3)  # a TL string is padded to whole words
        body += struct.pack("<IiQ", self.VECTOR, 1, self.FINGERPRINT)
        message_id = (time.time_ns() * 2**32 // 10**9) // 4 * 4 + 1  # 1 mod 4: an answer
        return struct.pack("<qqi", 0, message_id, len(body)) + body

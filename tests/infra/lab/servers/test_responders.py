"""What the far ends of connections say, byte by byte."""

from __future__ import annotations

import ssl
import struct

import pytest

from infra.lab.servers.client_hello import server_name
from infra.lab.servers.responders import Http, Mtproto, NameFilter, Reply, response
from probe.net import mtproto


def hello(name: str | None) -> bytes:
    """The first flight of a real TLS client."""
    out = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    return out.read()


class Echo:
    """A far end that says what it heard."""

    def hear(self, data: bytes) -> Reply:
        """The same bytes."""
        return Reply(data)


def test_the_server_name_of_a_real_client_is_read():
    """OpenSSL's own ClientHello, with a name and without."""
    assert server_name(hello("web.papergull.example")) == "web.papergull.example"
    assert server_name(hello(None)) == ""


def test_a_hello_that_is_not_whole_has_no_name_yet():
    """Every prefix asks for more; other bytes are known at once for what they aren't."""
    whole = hello("web.papergull.example")
    assert {server_name(whole[:n]) for n in range(len(whole))} == {None}
    assert server_name(b"GET / HTTP/1.1\r\n") == ""


def test_a_mangled_hello_is_no_name_and_no_error():
    """Whatever the bytes behind the record's head are, the reader does not fall over."""
    whole = hello("web.papergull.example")
    for cut in range(6, len(whole)):
        short = whole[:3] + (cut - 5).to_bytes(2, "big") + whole[5:cut]
        assert server_name(short) in ("", "web.papergull.example")


def test_the_filter_resets_only_the_forbidden_name():
    """A harmless name passes unchanged, even when it arrives in pieces."""
    assert NameFilter("web.papergull.example", Echo()).hear(hello("web.papergull.example")).then == "reset"
    whole = hello("almanac.example")
    passed = NameFilter("web.papergull.example", Echo())
    assert passed.hear(whole[:50]) == Reply()
    assert passed.hear(whole[50:]).data == whole
    assert passed.hear(b"more").data == b"more"


def test_res_pq_answers_the_probes_own_question():
    """The probe's client accepts the answer, in one piece or byte by byte, and a second on the same connection."""
    talker = Mtproto()
    nonce = mtproto.nonce()
    carrier = mtproto.Intermediate()
    asked = carrier.first(mtproto.question(nonce))
    said = b"".join(talker.hear(asked[i : i + 1]).data for i in range(len(asked)))
    message = carrier.reply(said)
    assert message is not None
    mtproto.check_answer(message, nonce)
    again = mtproto.nonce()
    message = carrier.reply(talker.hear(carrier.first(mtproto.question(again))[4:]).data)
    mtproto.check_answer(message, again)


def test_res_pq_holds_a_product_of_two_primes():
    """As in the real protocol: 8 bytes that a client can factor, and the fingerprint of a key."""
    asked = mtproto.Intermediate().first(mtproto.question(bytes(16)))
    message = Mtproto().hear(asked).data[4:]
    pq = int.from_bytes(message[57:65], "big")
    factors = [p for p in Mtproto.PRIMES if pq % p == 0]
    assert factors[0] * factors[1] == pq
    assert all(p % d for p in Mtproto.PRIMES for d in range(2, 32769))
    assert struct.unpack_from("<Ii", message, 68) == (Mtproto.VECTOR, 1)


@pytest.mark.parametrize(
    "heard",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xee\xee\xee\xee" + struct.pack("<I", 4) + b"\x6c\xfe\xff\xff",
        b"\xee\xee\xee\xee" + struct.pack("<I", 40) + bytes(40),
        b"\xee\xee\xee\xee" + bytes(2000),
    ],
)
def test_what_is_no_mtproto_ends_the_connection(heard):
    """No answer to a stranger, and no wait for ever."""
    assert Mtproto().hear(heard) == Reply(then="close")


def test_http_answers_once_the_request_is_whole():
    """The host and the path reach the page; a head without end is given up."""
    http = Http(lambda host, path: response("200 OK", f"{host}{path}"))
    assert http.hear(b"GET /a HTTP/1.1\r\nHo") == Reply()
    said = http.hear(b"st: x.example\r\n\r\n")
    assert said.then == "close"
    assert said.data.endswith(b"\r\n\r\nx.example/a")
    assert Http(lambda *_: b"").hear(b"x" * 9000).then == "close"

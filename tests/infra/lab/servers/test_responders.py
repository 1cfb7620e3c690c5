"""What the responders answer, byte by byte."""

from __future__ import annotations

import struct

import pytest

from infra.lab.servers.responders import Http, Mtproto, NameFilter, Reply, response
from probe.net import mtproto
from tests.infra.lab.servers.conftest import client_hello


class Echo:
    """A far end that sends back what it received."""

    def receive(self, data: bytes) -> Reply:
        """The same bytes."""
        return Reply(data)


def test_the_filter_resets_only_the_forbidden_name():
    """A ClientHello with another name passes unchanged, even when it arrives in pieces."""
    assert NameFilter("web.papergull.example", Echo()).receive(client_hello("web.papergull.example")).then == "reset"
    whole = client_hello("almanac.example")
    passed = NameFilter("web.papergull.example", Echo())
    assert passed.receive(whole[:50]) == Reply()
    assert passed.receive(whole[50:]).data == whole
    assert passed.receive(b"more").data == b"more"


def test_the_probe_accepts_res_pq():
    """The probe's client accepts the answer to a request sent byte by byte, and a second one on the same connection."""
    responder = Mtproto()
    nonce = mtproto.nonce()
    transport = mtproto.Intermediate()
    request = transport.first(mtproto.req_pq_multi(nonce))
    answer = b"".join(responder.receive(request[i : i + 1]).data for i in range(len(request)))
    message = transport.reply(answer)
    assert message is not None
    mtproto.check_res_pq(message, nonce)
    again = mtproto.nonce()
    message = transport.reply(responder.receive(transport.first(mtproto.req_pq_multi(again))[4:]).data)
    mtproto.check_res_pq(message, again)


def test_res_pq_holds_a_product_of_two_primes():
    """As in the protocol: 8 bytes that a client can factor, and the fingerprint of a key."""
    request = mtproto.Intermediate().first(mtproto.req_pq_multi(bytes(16)))
    message = Mtproto().receive(request).data[4:]
    pq = int.from_bytes(message[57:65], "big")
    factors = [p for p in Mtproto.PRIMES if pq % p == 0]
    assert factors[0] * factors[1] == pq
    assert all(p % d for p in Mtproto.PRIMES for d in range(2, 32769))
    assert struct.unpack_from("<Ii", message, 68) == (Mtproto.VECTOR, 1)


@pytest.mark.parametrize(
    "received",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xee\xee\xee\xee" + struct.pack("<I", 4) + b"\x6c\xfe\xff\xff",
        b"\xee\xee\xee\xee" + struct.pack("<I", 40) + bytes(40),
        b"\xee\xee\xee\xee" + bytes(2000),
    ],
)
def test_anything_but_mtproto_closes_the_connection(received):
    """There is no answer, and the connection doesn't stay open."""
    assert Mtproto().receive(received) == Reply(then="close")


def test_http_answers_a_complete_request():
    """The host and the path are passed to the page; a header that is too long closes the connection."""
    http = Http(lambda host, path: response("200 OK", f"{host}{path}"))
    assert http.receive(b"GET /a HTTP/1.1\r\nHo") == Reply()
    answer = http.receive(b"st: x.example\r\n\r\n")
    assert answer.then == "close"
    assert answer.data.endswith(b"\r\n\r\nx.example/a")
    assert Http(lambda *_: b"").receive(b"x" * 9000).then == "close"

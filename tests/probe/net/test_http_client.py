# ruff: noqa: E501 - a case is a line
"""Requests to servers that misbehave at every point: failures, facts and bytes, over TCP and TLS, by both parsers.

The cases are run with aiohttp's C parser and with its pure one, and once more in a process of their own as it is on a
machine without compiled extensions and with Python's development mode, in which the parser is strict.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import aiohttp.client_proto
import pytest
from aiohttp import http_parser
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.net import failures, http_client
from probe.net.failures import NETWORK_ERRORS
from probe.net.page import WebPage
from tests.probe.conftest import LIMIT, PATIENT
from tests.support import servers

ADDRESS, HOST = "198.51.100.80", "service.example"
RST, EOF, TIMEOUT, NO_HTTP = "connection_reset", "eof_error", "generic_timeout_error", "http_request_failed"
TITLE = hashlib.sha256(b"Blocked").hexdigest()
PAGE = b"<title>Blocked</title>blocked by order of the Signals Office of Ostramere"
OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(PAGE)
CHUNKED = b"Transfer-Encoding: chunked\r\n"

CASES = [
    # what is sent, what follows, the failure, the status, and how much of the page is there
    ("silence", [], "silence", TIMEOUT, None, None),
    ("FIN", [], "fin", EOF, None, None),
    ("RST", [], "rst", RST, None, None),
    ("RST in the status line", [b"HTTP/1.1 2"], "rst", RST, None, None),
    ("FIN in the status line", [b"HTTP/1.1 2"], "fin", EOF, None, None),
    ("RST in the head", [OK + b"Server: x\r\n"], "rst", RST, None, None),
    ("FIN in the head", [OK + b"Server: x\r\n"], "fin", EOF, None, None),
    ("silence in the head", [OK + b"Server: x\r\n"], "silence", TIMEOUT, None, None),
    ("RST after the head", [OK + LENGTH + b"\r\n"], "rst", RST, 200, 0),
    ("FIN after the head", [OK + LENGTH + b"\r\n"], "fin", None, 200, 0),
    ("RST in the body", [OK + LENGTH + b"\r\n" + PAGE[:40]], "rst", RST, 200, 40),
    ("FIN in the body", [OK + LENGTH + b"\r\n" + PAGE[:40]], "fin", None, 200, 40),
    ("silence in the body", [OK + LENGTH + b"\r\n" + PAGE[:40]], "silence", TIMEOUT, 200, 40),
    ("RST in a body without length", [OK + b"\r\n" + PAGE], "rst", RST, 200, len(PAGE)),
    ("FIN after a body without length", [OK + b"\r\n" + PAGE], "fin", None, 200, len(PAGE)),
    ("silence after a body without length", [OK + b"\r\n" + PAGE], "silence", TIMEOUT, 200, len(PAGE)),
    ("RST in a chunk", [OK + CHUNKED + b"\r\n40\r\n" + PAGE[:40]], "rst", RST, 200, 40),
    ("FIN in a chunk", [OK + CHUNKED + b"\r\n40\r\n" + PAGE[:40]], "fin", None, 200, 40),
    ("FIN between chunks", [OK + CHUNKED + b"\r\n28\r\n" + PAGE[:40] + b"\r\n"], "fin", None, 200, 40),
    ("page, then RST", [OK + LENGTH + b"\r\n" + PAGE], "rst", None, 200, len(PAGE)),
    ("page in chunks, then RST", [OK + CHUNKED + b"\r\n28\r\n" + PAGE[:40] + b"\r\n0\r\n\r\n"], "rst", None, 200, 40),
    ("page, then silence", [OK + LENGTH + b"\r\n" + PAGE], "silence", None, 200, len(PAGE)),
    ("more than announced", [OK + LENGTH + b"\r\n" + PAGE + b"more"], "silence", None, 200, len(PAGE)),
    ("no body", [b"HTTP/1.1 204 No Content\r\n\r\n"], "silence", None, 204, 0),
    ("in single bytes", [bytes([b]) for b in OK + LENGTH + b"\r\n" + PAGE], "silence", None, 200, len(PAGE)),
    ("another protocol's greeting", [b"SSH-2.0-x\r\n"], "silence", NO_HTTP, None, 11),
    ("another protocol's greeting, then FIN", [b"SSH-2.0-x\r\n"], "fin", NO_HTTP, None, 11),
    ("another protocol's greeting, then RST", [b"SSH-2.0-x\r\n"], "rst", NO_HTTP, None, 11),
    ("a TLS alert", [b"\x15\x03\x03\x00\x02\x02\x28"], "silence", NO_HTTP, None, 7),
    ("a page without a head", [PAGE[:10], PAGE[10:]], "fin", NO_HTTP, None, len(PAGE)),
    ("a page without a head, left open", [PAGE[:10], PAGE[10:]], "silence", NO_HTTP, None, len(PAGE)),
    ("chunks that are none", [OK + CHUNKED + b"\r\nzz\r\n"], "silence", NO_HTTP, 200, 0),
    ("chunks that are none, later", [OK + CHUNKED + b"\r\n28\r\n" + PAGE[:40] + b"\r\n", b"zz\r\n"], "silence", NO_HTTP, 200, 40),
    ("a chunk longer than its size", [OK + CHUNKED + b"\r\n20\r\n" + PAGE[:40] + b"\r\n0\r\n\r\n"], "silence", NO_HTTP, 200, 32),
    ("more after the last chunk", [OK + CHUNKED + b"\r\n28\r\n" + PAGE[:40] + b"\r\n0\r\n\r\nmore"], "silence", None, 200, 40),
    ("more, and the end of the connection announced", [OK + b"Connection: close\r\n" + CHUNKED + b"\r\n28\r\n" + PAGE[:40] + b"\r\n0\r\n\r\nmore"], "fin", None, 200, 40),
    ("chunks that are none, then FIN", [OK + CHUNKED + b"\r\nzz\r\n"], "fin", NO_HTTP, 200, 0),
    ("bare LF", [(OK + LENGTH + b"\r\n").replace(b"\r", b"") + PAGE], "silence", None, 200, len(PAGE)),
    ("100 before the answer", [b"HTTP/1.1 100 Go\r\n\r\n", OK + LENGTH + b"\r\n" + PAGE], "fin", None, 200, len(PAGE)),
    ("103 before the answer", [b"HTTP/1.1 103 x\r\nA: b\r\n\r\n" + OK + LENGTH + b"\r\n" + PAGE], "fin", None, 200, len(PAGE)),
    ("100 alone", [b"HTTP/1.1 100 Continue\r\n\r\n"], "fin", EOF, None, None),
    ("a doubled length", [OK + b"Content-Length: 2, 2\r\n\r\nab"], "silence", None, 200, 2),
    ("two lengths", [OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nab"], "silence", None, 200, 2),
    ("a length and chunks", [OK + LENGTH + CHUNKED + b"\r\n28\r\n" + PAGE[:40] + b"\r\n0\r\n\r\n"], "silence", None, 200, 40),
    ("a space before a colon", [OK + b"Server : x\r\n" + LENGTH + b"\r\n" + PAGE], "silence", None, 200, len(PAGE)),
    ("a line without a colon", [OK + b"nonsense\r\n" + LENGTH + b"\r\n" + PAGE], "silence", None, 200, len(PAGE)),
    ("a zero byte", [OK + b"A: \0\r\n" + LENGTH + b"\r\n" + PAGE], "silence", None, 200, len(PAGE)),
    ("a field of 12 KB", [OK + b"A: " + b"x" * 12_000 + b"\r\n" + LENGTH + b"\r\n" + PAGE], "silence", None, 200, len(PAGE)),
    ("a head of 20 KB", [OK + b"A: " + b"x" * 20_000 + b"\r\n" + LENGTH + b"\r\n" + PAGE], "silence", None, 200, len(PAGE)),
    ("a head of 40 KB", [OK + b"A: " + b"x" * 40_000 + b"\r\n" + LENGTH + b"\r\n" + PAGE], "silence", NO_HTTP, None, 16384),
    ("status 999 without a reason", [b"HTTP/1.1 999\r\n" + LENGTH + b"\r\n" + PAGE], "silence", None, 999, len(PAGE)),
    ("an empty line first", [b"\r\n" + OK + LENGTH + b"\r\n" + PAGE], "silence", None, 200, len(PAGE)),
    ("a compressed body", [OK + b"Content-Encoding: gzip\r\n" + LENGTH + b"\r\n" + PAGE], "silence", None, 200, len(PAGE)),
    ("a redirect", [b"HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:1/\r\n" + LENGTH + b"\r\n" + PAGE], "silence", None, 302, len(PAGE)),
]  # fmt: skip


@pytest.fixture(params=["C", "Py"])
def _parser(request, monkeypatch):
    """The parser that aiohttp uses for answers."""
    monkeypatch.setattr(
        aiohttp.client_proto, "HttpResponseParser", getattr(http_parser, f"HttpResponseParser{request.param}")
    )


class Stream:
    """A channel that gives these parts as fast as they are read, and then ends."""

    def __init__(self, parts, end):
        self.parts, self.end = list(parts), end

    async def send(self, data):
        """Take a request."""

    async def receive(self):
        """The next part."""
        await asyncio.sleep(0)
        if not self.parts:
            raise self.end
        return self.parts.pop(0)


async def read(parts, end=None):
    """The failure's name and the page, when all that a server sends arrives in the same moment."""
    page, failure = WebPage(), None
    try:
        async with asyncio.timeout(PATIENT):
            await http_client.get(Stream(parts, end or EOFError()), HOST, "/", page)
    except NETWORK_ERRORS as e:
        failure = failures.name(e)
    return failure, page


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    ("raw", "end", "failure", "body"),
    [
        (OK + CHUNKED + b"\r\n5\r\nhello\r\nzz\r\n", EOFError(), NO_HTTP, b"hello"),
        (OK + CHUNKED + b"\r\n5\r\nhello\r\nzz\r\n", ConnectionResetError(104, "x"), RST, b"hello"),
        (OK + CHUNKED + b"\r\n5\r\nhel", EOFError(), None, b"hel"),
        (OK + b"\r\nhello", ConnectionResetError(104, "x"), RST, b"hello"),
        (OK + b"Content-Length: 5\r\n\r\nhello", ConnectionResetError(104, "x"), None, b"hello"),
        (b"SSH", ConnectionResetError(104, "x"), NO_HTTP, b"SSH"),
    ],
)
async def test_an_end_in_the_same_moment_is_told_apart_too(raw, end, failure, body):
    """Whether the last bytes and the end come together or one after the other."""
    for parts in ([raw], [raw[i : i + 1] for i in range(len(raw))]):
        found, page = await read(parts, end)
        assert (found, page.body) == (failure, body)


_PIECES = st.sampled_from(
    [
        b"\r\n",
        b"\n",
        b"\0",
        b":",
        b" ",
        LENGTH,
        CHUNKED,
        OK,
        b"0\r\n\r\n",
        b"5\r\nhello\r\n",
        b"\xff",
        b"\r\n\r\n",
        b"-1",
    ]
)


@given(st.lists(_PIECES | st.binary(max_size=6), max_size=12), st.sampled_from([b"", OK, OK + CHUNKED + b"\r\n"]))
@settings(max_examples=60, deadline=None)
def test_no_answer_makes_it_hang_or_break(parts, beginning):
    """Whatever comes, it ends, and both parsers read the same status from it."""

    async def statuses():
        kept = aiohttp.client_proto.HttpResponseParser
        try:
            for parser in (http_parser.HttpResponseParserC, http_parser.HttpResponseParserPy):
                aiohttp.client_proto.HttpResponseParser = parser
                failure, page = await read([p for p in (beginning, *parts) if p])
                assert failure != TIMEOUT
                yield page.status
        finally:
            aiohttp.client_proto.HttpResponseParser = kept

    async def compare():
        assert len({status async for status in statuses()}) == 1

    asyncio.run(compare())


def misbehaves(parts, then, requests):
    """A server that reads a request, sends these parts, and then ends, resets or stays silent."""

    async def handle(reader, writer):
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.02 if len(parts) < 10 else 0)
        if then == "rst":
            await asyncio.sleep(0.05)  # a reset takes with it what has not been read
            servers.reset(writer)
        elif then == "silence":
            await reader.read(1)

    return handle


async def asked(network, dialer, clock, handler, context=None, *, limit=PATIENT, how="request", path="/"):
    """Ask a server, over TLS when it has a context. Returns the steps after `connect`."""
    async with servers.tcp(handler, context) as port:
        dialer.ports[ADDRESS, 443] = port
        with await network.connect(HOST, ADDRESS, 443, limit=limit, clock=clock) as connection:
            if context:
                await connection.handshake(HOST)
            await getattr(connection, how)(HOST, *([path] if path != "/" else []))
    return connection.steps[1:]


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize(("parts", "then", "failure", "status", "length"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])  # fmt: skip
async def test_every_misbehaviour_has_its_name_and_its_facts(
    network, dialer, clock, authority, parts, then, failure, status, length, secure
):
    """Whatever the parser makes of it, the failure is the network's own and what has come is recorded."""
    requests = []
    tls = authority.issue(HOST) if secure else None
    limit = LIMIT if failure == TIMEOUT else PATIENT
    step = (await asked(network, dialer, clock, misbehaves(parts, then, requests), tls, limit=limit))[-1]
    assert (step.op, step.via, step.failure, step.status, step.length) == ("request", "GET /", failure, status, length)
    assert requests == [
        b"GET / HTTP/1.1\r\nHost: service.example\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    ]
    if not secure:
        sent = sum(map(len, parts))
        assert step.sent == len(requests[0])
        assert step.received == sent
    if length is not None:
        assert step.title_hash == (TITLE if 23 < length < 100 else "")
    assert step.fingerprint == ("blockonset.lab_order" if length == len(PAGE) else "")


@pytest.mark.usefixtures("_parser")
async def test_a_wrong_authority_is_a_fact_of_the_handshake_and_the_page_is_read(network, dialer, clock, stranger):
    """A filter that opens TLS shows its page under a certificate of its own."""
    page = servers.says(OK + LENGTH + b"\r\n" + PAGE)
    handshake, request = await asked(network, dialer, clock, page, stranger.issue(HOST))
    assert (handshake.failure, handshake.certificate_failure) == (None, "ssl_unknown_authority")
    assert (request.failure, request.status, request.fingerprint) == (None, 200, "blockonset.lab_order")


@pytest.mark.usefixtures("_parser")
async def test_a_request_over_a_resumed_session_is_the_same(network, dialer, clock, authority):
    """The second handshake has no certificates and is smaller; the pages are equal."""
    page = servers.says(OK + LENGTH + b"\r\n" + PAGE)
    async with servers.tcp(page, authority.issue(HOST)) as port:
        dialer.ports[ADDRESS, 443] = port
        with await network.connect(HOST, ADDRESS, 443, limit=PATIENT, clock=clock) as first:
            await first.handshake(HOST)
            await first.keep_session(HOST)
        with await network.connect(HOST, ADDRESS, 443, limit=PATIENT, clock=clock) as second:
            await second.handshake(HOST, resume=True)
            await second.request(HOST)
    whole, resumed, request = first.steps[1], second.steps[1], second.steps[2]
    assert resumed.received < whole.received
    assert resumed.certificate == whole.certificate
    assert (request.failure, request.status, request.title_hash) == (None, 200, TITLE)


async def test_a_page_of_any_size_is_read_up_to_the_limit(network, dialer, clock):
    """A little over 64 KB at most, announced or not; that is no failure."""
    for head in (OK + b"Content-Length: 900000\r\n\r\n", OK + b"\r\n", OK + CHUNKED + b"\r\ndbba0\r\n"):
        step = (await asked(network, dialer, clock, servers.says(head, *[b"x" * 50_000] * 18)))[-1]
        assert (step.failure, step.status) == (None, 200)
        assert 65_536 <= step.received <= 65_536 + 16_384
        assert 65_000 <= step.length <= step.received


async def test_a_path_with_a_query_is_sent_as_it_is(network, dialer, clock):
    """Nothing is encoded or decoded again."""
    requests = []
    handler = misbehaves([OK + b"Content-Length: 0\r\n\r\n"], "fin", requests)
    await asked(network, dialer, clock, handler, how="transfer", path="/a%2Fb/;x?q=%20a&b=c+d")
    assert requests[0].startswith(b"GET /a%2Fb/;x?q=%20a&b=c+d HTTP/1.1\r\n")


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
async def test_a_web_socket_opens(network, dialer, clock, authority, secure):
    """It is asked for as a page does, and nothing is sent over it."""
    requests = []
    tls = authority.issue(HOST) if secure else None
    handler = servers.opens_web_socket(requests, then=b"\x82\x01x")
    step = (await asked(network, dialer, clock, handler, tls, how="open_web_socket", path="/apiws"))[-1]
    assert (step.op, step.via, step.failure, step.status) == ("request", "GET /apiws", None, 101)
    head = requests[0].decode().split("\r\n")
    assert head[0] == "GET /apiws HTTP/1.1"
    assert {"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Protocol: binary"} < {*head}
    assert not any("aiohttp" in line or "python" in line.lower() for line in head)
    assert requests[1:] in ([], [b""])


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    ("parts", "then", "failure", "status", "length"),
    [
        ([OK + LENGTH + b"\r\n" + PAGE], "fin", None, 200, len(PAGE)),
        ([b"HTTP/1.1 403 No\r\n" + LENGTH + b"\r\n", PAGE], "silence", None, 403, len(PAGE)),
        ([b"HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"], "silence", None, 302, 0),
        ([OK + LENGTH + b"\r\n" + PAGE], "rst", RST, 200, len(PAGE)),
        ([b"SSH-2.0-x\r\n"], "silence", NO_HTTP, None, 11),
        ([], "rst", RST, None, None),
        ([], "fin", EOF, None, None),
        ([], "silence", TIMEOUT, None, None),
    ],
)
async def test_any_other_answer_to_a_web_socket_is_a_page(network, dialer, clock, parts, then, failure, status, length):
    """With its facts; a redirect is not followed."""
    limit = LIMIT if failure == TIMEOUT else PATIENT
    handler = misbehaves(parts, then, [])
    step = (await asked(network, dialer, clock, handler, limit=limit, how="open_web_socket", path="/apiws"))[-1]
    assert (step.failure, step.status, step.length) == (failure, status, length)
    assert step.fingerprint == ("blockonset.lab_order" if length == len(PAGE) else "")
    assert dialer.dialed == [(ADDRESS, 443)]


async def test_an_upgrade_without_the_proof_is_none(network, dialer, clock):
    """Whoever answers 101 to anything has not understood."""
    step = (
        await asked(
            network, dialer, clock, servers.opens_web_socket([], proof=b"wrong"), how="open_web_socket", path="/apiws"
        )
    )[-1]
    assert (step.failure, step.status) == (NO_HTTP, 101)


@pytest.mark.parametrize("parser", ["C", "Py"])
def test_the_same_holds_without_extensions_and_in_development_mode(parser):
    """In these, aiohttp's parsers accept and refuse other things."""
    command = [sys.executable, "-X", "dev", "-W", "ignore", "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider"]
    command += [__file__, "-k", f"every_misbehaviour and {parser}- and not https"]
    environment = {k: v for k, v in os.environ.items() if k != "AIOHTTP_NO_EXTENSIONS"}
    if parser == "Py":
        environment["AIOHTTP_NO_EXTENSIONS"] = "1"
    root = Path(__file__).parents[3]
    run = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-3000:]
    assert f"{len(CASES)} passed" in run.stdout

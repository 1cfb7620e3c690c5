"""Every way in which a service can fail to answer, with real sockets, and OONI's names for them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
import time

import dns.resolver
import pytest

from infra.lab.servers.authority import Authority
from probe.base.errors import UserError
from probe.net.counted_socket import CountedSocket
from probe.net.dialer import RealDialer
from probe.net.network import Network
from tests.probe.conftest import LIMIT, PATIENT
from tests.support import servers

ADDRESS = "198.51.100.7"
HOST = "service.example"


@pytest.fixture
def connect(network, dialer, clock):
    """A function that connects to a loopback port under the test's address."""

    def to(port: int, limit: float = PATIENT):
        dialer.ports[ADDRESS, 443] = port
        return network.connect(HOST, ADDRESS, 443, limit=limit, clock=clock)

    return to


def limit_for(handler):
    """The timeout of a step: short only for the server that never answers."""
    return LIMIT if handler is servers.silent else PATIENT


async def last(connecting, *operation):
    """Do one operation on a new connection; returns the last step."""
    with await connecting as connection:
        if operation:
            await getattr(connection, operation[0])(*operation[1:])
    return connection.steps[-1]


async def test_a_connection_that_opens_is_a_step_without_failure(connect):
    """The step has the service's own address, and its times count from the clock's zero."""
    async with servers.tcp(servers.silent) as port:
        step = await last(connect(port))
    assert (step.op, step.target, step.address, step.failure) == ("connect", HOST, f"{ADDRESS}:443", None)
    assert 0 <= step.start_ms <= step.end_ms < PATIENT * 1000


async def test_a_closed_port_refuses(connect):
    """It answers the SYN with RST."""
    with servers.refusing() as port:
        assert (await last(connect(port))).failure == "connection_refused"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse when a queue is full")
async def test_an_unanswered_syn_is_a_timeout(connect):
    """After the step's limit."""
    with servers.unanswering() as port:
        step = await last(connect(port, LIMIT))
    assert step.failure == "generic_timeout_error"
    assert LIMIT * 1000 <= step.end_ms - step.start_ms < LIMIT * 2000


async def test_an_address_that_the_dialer_refuses_is_not_contacted(network, dialer, clock):
    """The dialer's OSError is the step's failure."""
    step = await last(network.connect(HOST, ADDRESS, 443, limit=LIMIT, clock=clock))
    assert step.failure == "network_unreachable"
    assert dialer.dialed == [(ADDRESS, 443)]


async def test_nothing_is_done_on_a_connection_that_failed(connect):
    """So a check need not look at each step before the next."""
    with servers.refusing() as port, await connect(port) as connection:
        await connection.handshake(HOST)
        await connection.hold(0.1)
    assert [s.op for s in connection.steps] == ["connect"]


@pytest.mark.parametrize(
    ("handler", "failure"),
    [
        (servers.silent, None),
        (servers.resets_at_once, "connection_reset"),
        (servers.says(b"SSH-2.0-x\r\n"), None),
    ],
)
async def test_holding_a_connection_shows_an_unprovoked_reset(connect, handler, failure):
    """A reset before any byte was sent can only be due to the address."""
    async with servers.tcp(handler) as port:
        step = await last(connect(port), "hold", 0.05)
    assert (step.op, step.failure, step.sent) == ("hold", failure, 0)


async def test_an_orderly_end_while_holding_is_an_end_of_file(connect):
    """A FIN is not an RST."""

    async def leaves(_reader, _writer):
        await asyncio.sleep(0)

    async with servers.tcp(leaves) as port:
        assert (await last(connect(port), "hold", 0.1)).failure == "eof_error"


async def test_a_good_certificate_verifies(connect, authority):
    """The leaf's hash and names are recorded, and the bytes of the handshake counted."""
    async with servers.tcp(servers.keeps_open, authority.issue(HOST, "*.other.example")) as port:
        step = await last(connect(port), "handshake", HOST)
    assert (step.op, step.via, step.failure, step.certificate_failure) == ("handshake", HOST, None, None)
    assert step.names == ("*.other.example", HOST)
    assert len(step.certificate) == 64
    assert step.sent > 200
    assert step.received > 500


async def test_a_certificate_of_an_intermediate_authority_needs_the_whole_chain(connect, authority, tmp_path):
    """The whole presented chain is captured; without the intermediate certificate it does not verify."""
    issuer = Authority(tmp_path, "Intermediate", authority)
    results = []
    for presented in (issuer.intermediate, b""):
        issuer.intermediate = presented
        async with servers.tcp(servers.keeps_open, issuer.issue(HOST)) as port:
            results.append((await last(connect(port), "handshake", HOST)).certificate_failure)
    assert results == [None, "ssl_unknown_authority"]


@pytest.mark.parametrize(
    ("issue", "failure"),
    [
        (lambda own, _: own.issue("wrong.example"), "ssl_invalid_hostname"),
        (lambda own, _: own.issue("*.service.example"), "ssl_invalid_hostname"),
        (lambda _, stranger: stranger.issue(HOST), "ssl_unknown_authority"),
        (lambda own, _: own.issue(HOST, days=(-9, -2)), "ssl_invalid_certificate"),
        (lambda own, _: own.issue(HOST, days=(2, 9)), "ssl_invalid_certificate"),
        # The first fault counts, in this order: the name, the authority, the certificate's dates.
        (lambda _, stranger: stranger.issue("wrong.example", days=(-9, -2)), "ssl_invalid_hostname"),
        (lambda _, stranger: stranger.issue(HOST, days=(-9, -2)), "ssl_unknown_authority"),
        (lambda _, stranger: stranger.issue("wrong.example"), "ssl_invalid_hostname"),
        (lambda own, _: own.issue("*.example"), None),
    ],
)
async def test_a_wrong_certificate_is_a_fact_and_the_handshake_succeeds(connect, authority, stranger, issue, failure):
    """The handshake itself verifies nothing; the certificate's fault has a field of its own."""
    async with servers.tcp(servers.keeps_open, issue(authority, stranger)) as port:
        step = await last(connect(port), "handshake", HOST)
    assert (step.failure, step.certificate_failure) == (None, failure)
    assert step.certificate


@pytest.mark.parametrize(
    ("handler", "failure"),
    [
        (servers.resets_after_reading, "connection_reset"),
        (servers.ends_after_reading, "eof_error"),
        (servers.silent, "generic_timeout_error"),
        (servers.says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "ssl_failed_handshake"),
        (servers.says(b"\x15\x03\x03\x00\x02\x02\x28"), "ssl_failed_handshake"),  # a TLS alert
    ],
)
async def test_each_failure_of_a_handshake_has_its_name(connect, handler, failure):
    """All come after the ClientHello was sent."""
    async with servers.tcp(handler) as port:
        step = await last(connect(port, limit_for(handler)), "handshake", HOST)
    assert (step.op, step.failure) == ("handshake", failure)
    assert step.sent > 200


def page(body: str, *headers: str, status: str = "200 OK") -> bytes:
    """A server's answer with a page."""
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", body]).encode()


async def test_facts_about_a_page_are_recorded_and_no_text(connect):
    """Status, length and hashes; the title's hash doesn't depend on its spaces."""
    one = page("<html><TITLE>\n A  site </TITLE></html>")
    two = page("<title>A site</title> and more")
    steps = []
    for content in (one, two):
        async with servers.tcp(servers.says(content)) as port:
            steps.append(await last(connect(port), "request", HOST))
    for step in steps:
        assert (step.op, step.via, step.status, step.failure, step.fingerprint) == ("request", "GET /", 200, None, "")
    assert steps[0].length == 38
    assert steps[0].body_hash != steps[1].body_hash
    assert steps[0].title_hash == steps[1].title_hash != ""


async def test_a_block_page_is_recognized_by_its_fingerprint(connect):
    """By the network's fingerprint list, here the lab's."""
    content = page("<p>blocked by order of the Signals Office of Ostramere</p>", status="403 Forbidden")
    async with servers.tcp(servers.says(content)) as port:
        step = await last(connect(port), "request", HOST)
    assert (step.status, step.fingerprint) == (403, "blockonset.lab_order")


@pytest.mark.parametrize("cut", ["reset", "silence"])
async def test_a_block_page_is_recognized_though_the_connection_is_cut(connect, cut):
    """Some censors send their page and then reset."""

    async def sends_and_cuts(reader, writer):
        await reader.read(4096)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nblocked by order of the Signals Office of Ostramere")
        await asyncio.sleep(0.05)
        if cut == "reset":
            servers.reset(writer)
        await reader.read(1)

    async with servers.tcp(sends_and_cuts) as port:
        step = await last(connect(port, LIMIT if cut == "silence" else PATIENT), "request", HOST)
    assert step.failure == {"reset": "connection_reset", "silence": "generic_timeout_error"}[cut]
    assert (step.status, step.fingerprint) == (200, "blockonset.lab_order")


async def test_of_a_redirect_only_scheme_and_host_are_recorded(connect):
    """The rest may contain the reader's address and the requested site."""
    content = page("", "Location: http://block.example/why?ip=203.0.113.9&url=service", status="302 Found")
    async with servers.tcp(servers.says(content)) as port:
        step = await last(connect(port), "request", HOST)
    assert (step.status, step.location) == (302, "http://block.example")


async def test_the_readers_address_in_a_page_does_not_affect_the_hash(connect):
    """Two readers of a block page get the same hash, so it can't be searched for an address."""
    steps = []
    for address in ("203.0.113.9", "2001:db8::9:1"):
        async with servers.tcp(servers.says(page(f"<title>{address}</title>You are {address}."))) as port:
            steps.append(await last(connect(port), "request", HOST))
    assert steps[0].body_hash == steps[1].body_hash
    assert steps[0].title_hash == steps[1].title_hash


async def test_an_endless_page_is_read_in_part(connect):
    """A little over 64 KB at most."""
    async with servers.tcp(servers.says(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 50_000] * 10)) as port:
        step = await last(connect(port), "request", HOST)
    assert step.failure is None
    assert 65_536 <= step.received <= 65_536 + 16_384


@pytest.mark.parametrize(
    ("handler", "failure"),
    [
        (servers.resets_after_reading, "connection_reset"),
        (servers.ends_after_reading, "eof_error"),
        (servers.silent, "generic_timeout_error"),
        (servers.says(b"\x15\x03\x03\x00\x02\x02\x28"), "http_request_failed"),
        (servers.says(b"HTTP/1.1 200 OK\r\nContent-"), "eof_error"),
    ],
)
async def test_each_failure_of_a_request_has_its_name(connect, handler, failure):
    """All come after the request was sent."""
    async with servers.tcp(handler) as port:
        step = await last(connect(port, limit_for(handler)), "request", HOST)
    assert (step.failure, step.status) == (failure, None)
    assert step.sent > 50


async def test_a_datacentre_that_answers_passes_the_exchange(connect):
    """48 bytes are sent: tag, length, message header and req_pq_multi."""
    async with servers.tcp(servers.telegram) as port:
        step = await last(connect(port), "exchange")
    assert (step.op, step.via, step.failure, step.sent) == ("exchange", "intermediate", None, 48)


@pytest.mark.parametrize(
    ("handler", "failure"),
    [
        (servers.silent, "generic_timeout_error"),
        (servers.resets_at_once, "connection_reset"),
        (servers.resets_after_reading, "connection_reset"),
        (servers.ends_after_reading, "eof_error"),
        (servers.says(servers.intermediate(b"\x6c\xfe\xff\xff")), "unknown_failure: MTProto transport error -404"),
        (servers.says(servers.intermediate(servers.res_pq(b"n" * 16))), "unknown_failure: resPQ with another nonce"),
        (servers.says(b"HTTP/1.1 403 Forbidden\r\n"), "unknown_failure: not the intermediate transport"),
    ],
)
async def test_each_failure_of_an_exchange_has_its_name(connect, handler, failure):
    """Silence, a cut connection, or an answer that is no resPQ to our nonce."""
    async with servers.tcp(handler) as port:
        assert (await last(connect(port, limit_for(handler)), "exchange")).failure == failure


async def test_a_reply_that_comes_in_pieces_is_put_together(connect):
    """One message may come in several TCP segments."""

    async def trickles(reader, writer):
        message = servers.intermediate(servers.res_pq((await reader.readexactly(48))[32:]))
        for byte in message:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read(1)

    async with servers.tcp(trickles) as port:
        assert (await last(connect(port), "exchange")).failure is None


async def test_no_socket_outlives_its_connection(connect):
    """Not even when the run is cancelled in the middle of a step."""
    async with servers.tcp(servers.silent) as port:
        connection = await connect(port)

        async def handshake():
            with connection:
                await connection.handshake(HOST)

        task = asyncio.create_task(handshake())
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert connection._socket._socket.fileno() == -1


async def test_a_bug_in_an_operation_is_raised(network, clock, dialer):
    """Only what the network does becomes a step."""
    dialer.tcp = lambda address, port: {}[address]
    with pytest.raises(KeyError):
        await network.connect(HOST, ADDRESS, 443, limit=LIMIT, clock=clock)


def test_the_tls_context_is_made_once_and_verifies_nothing(network):
    """Wrong certificates must be captured."""
    assert network.tls.verify_mode == ssl.CERT_NONE
    assert not network.tls.check_hostname


def test_a_missing_or_broken_authority_file_is_named(tmp_path):
    """Otherwise every certificate would look wrong."""
    with pytest.raises(UserError, match=r"nowhere\.pem"):
        Network(ca_file=tmp_path / "nowhere.pem")
    for content in ("", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"):
        file = tmp_path / f"{len(content)}.pem"
        file.write_text(content)
        with pytest.raises(UserError, match=rf"{len(content)}\.pem"):
            Network(ca_file=file)


def test_this_machines_own_authorities_are_read():
    """If it has any; old ones that break today's rules are skipped."""
    if not ssl.create_default_context().get_ca_certs():
        pytest.skip("this machine trusts no authority")
    assert Network().ca_file is None


def test_the_real_dialer_connects_to_the_address_itself():
    """Without any translation."""
    assert RealDialer().tcp(ADDRESS, 443) == (ADDRESS, 443)


def test_the_real_dialer_asks_this_machines_own_resolver(monkeypatch):
    """The first one that is configured; without any, OSError is raised."""
    found = type("Resolver", (), {"nameservers": ["192.0.2.53", "192.0.2.54"]})
    monkeypatch.setattr(dns.resolver, "Resolver", found)
    assert RealDialer().system_resolver() == ("192.0.2.53", 53)

    def none():
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver, "Resolver", none)
    with pytest.raises(OSError, match="no resolver"):
        RealDialer().system_resolver()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux drops a SYN when the queue is full")
async def test_an_unanswered_connection_is_attempted_a_second_time():
    """Beside the first attempt, whose SYN the kernel repeats only after a second: the first to be answered counts."""
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(socket.socket())
        sock.bind((servers.LOOPBACK, 0))
        sock.listen(0)
        for _ in range(2):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(sock.getsockname())
        start = time.monotonic()
        connecting = asyncio.create_task(CountedSocket.stream_with_retry(sock.getsockname(), 0.3))
        await asyncio.sleep(0.1)
        stack.enter_context(sock.accept()[0])
        (await connecting).close()
        assert 0.3 <= time.monotonic() - start < 0.95
    with servers.refusing() as port, pytest.raises(ConnectionRefusedError):
        await CountedSocket.stream_with_retry((servers.LOOPBACK, port), 0.3)

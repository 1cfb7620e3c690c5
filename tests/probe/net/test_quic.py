"""Every way in which a QUIC handshake can end, with a real server, faulty ones and a censor."""

from __future__ import annotations

import time

import pytest
from aioquic.quic.connection import QuicConnection

from infra.lab.servers.authority import Authority
from probe.measure.bytes_on_wire import of_step
from probe.net import quic_process
from tests.probe.conftest import LIMIT, PATIENT
from tests.support import quic_server
from tests.support.servers import LOOPBACK

ADDRESS, HOST = "198.51.100.7", "service.example"


@pytest.fixture
def handshake(authority, clock):
    """A function that makes a QUIC handshake with a loopback port, as the child process does."""

    async def to(port: int, name: str = HOST, limit: float = PATIENT):
        wanted = quic_process.QuicHandshake(target=HOST, address=ADDRESS, name=name, limit_s=limit)
        dialled = quic_process.DialledHandshake(wanted, (LOOPBACK, port))
        return await quic_process.handshake_step(dialled, authority.file, clock)

    return to


async def test_a_good_handshake_records_the_certificate(handshake, authority):
    """As over TLS. It takes a few kilobytes, since QUIC pads its first datagrams to 1,200 bytes."""
    async with quic_server.server(authority.write(HOST, "*.other.example")) as port:
        step = await handshake(port)
    assert (step.op, step.part, step.target, step.via) == ("quic", "target", HOST, HOST)
    assert (step.address, step.failure, step.certificate_failure) == (f"{ADDRESS}:443", None, None)
    assert (step.names, len(step.certificate)) == (("*.other.example", HOST), 64)
    assert 1200 < step.sent < 4000
    assert 1200 <= step.received < 4000
    assert of_step(step) >= step.sent + step.received + 3 * 28


async def test_a_long_certificate_comes_in_several_datagrams(handshake, tmp_path, authority):
    """A chain with an intermediate authority is judged as in TLS."""
    async with quic_server.server(Authority(tmp_path, "Between", parent=authority).write(HOST, *_names(40))) as port:
        step = await handshake(port)
    assert (step.failure, step.certificate_failure, len(step.names)) == (None, None, 8)


@pytest.mark.parametrize(
    ("issuer", "names", "days", "failure"),
    [
        ("stranger", (HOST,), (-1, 30), "ssl_unknown_authority"),
        ("authority", ("notice.example",), (-1, 30), "ssl_invalid_hostname"),
        ("authority", (HOST,), (-9, -2), "ssl_invalid_certificate"),
    ],
)
async def test_a_wrong_certificate_is_a_fact_and_the_handshake_succeeds(
    request, handshake, issuer, names, days, failure
):
    """The certificate's fault has a field of its own."""
    async with quic_server.server(request.getfixturevalue(issuer).write(*names, days=days)) as port:
        step = await handshake(port)
    assert (step.failure, step.certificate_failure) == (None, failure)


async def test_a_server_without_http3_refuses_the_handshake(handshake, authority):
    """By a TLS alert, which is recorded at once and not after QUIC's closing period."""
    async with quic_server.server(authority.write(HOST), protocol="doq") as port:
        step = await handshake(port)
    assert (step.failure, step.certificate) == ("ssl_failed_handshake", "")
    assert step.end_ms - step.start_ms < 900


async def test_a_server_of_another_version_has_its_own_failure(handshake):
    """Under OONI's name."""
    async with quic_server.answering(quic_server.another_version) as port:
        assert (await handshake(port)).failure == "quic_incompatible_version"


@pytest.mark.parametrize("answer", [lambda _: [], quic_server.noise])
async def test_silence_and_noise_are_a_timeout(handshake, answer):
    """One datagram of 1,200 bytes is sent in the first second."""
    async with quic_server.answering(answer) as port:
        step = await handshake(port, limit=LIMIT)
    assert (step.failure, step.sent) == ("generic_timeout_error", 1200)
    assert LIMIT * 1000 <= step.end_ms - step.start_ms < LIMIT * 3000


async def test_a_closed_port_refuses(handshake):
    """By ICMP."""
    with quic_server.refusing() as port:
        step = await handshake(port)
    assert (step.failure, step.received) == ("connection_refused", 0)
    assert step.end_ms - step.start_ms < 900


async def test_a_blocked_name_goes_unanswered(handshake, authority):
    """A censor can read the name in the Initial. Another name works before the blocked one was seen, and not after."""
    async with quic_server.server(authority.write(HOST)) as upstream, quic_server.name_filter(upstream, HOST) as port:
        before = await handshake(port, "harmless.example")
        blocked = await handshake(port, limit=LIMIT)
        after = await handshake(port, "harmless.example", limit=LIMIT)
    assert [s.failure for s in (before, blocked, after)] == [None, "generic_timeout_error", "generic_timeout_error"]


async def test_an_answer_that_makes_aioquic_fail_is_a_fact(handshake, authority, monkeypatch):
    """Somebody on the path could send it, so it must not count as a bug of ours, which would spoil the run."""

    def fail(*_):
        raise AssertionError

    async with quic_server.server(authority.write(HOST)) as port:
        receive = QuicConnection.receive_datagram
        monkeypatch.setattr(
            QuicConnection, "receive_datagram", lambda c, *a, **k: fail() if c._is_client else receive(c, *a, **k)
        )
        assert (await handshake(port)).failure == "unknown_failure: QUIC: AssertionError"


async def test_an_initial_that_is_lost_is_sent_again(handshake, authority):
    """After a second (RFC 9002)."""
    lost = []

    def lose(data):
        lost.append(time.monotonic())
        return []

    async with quic_server.answering(lose) as port:
        step = await handshake(port, limit=1.3)
    assert step.sent == 1200 * len(lost)
    assert len(lost) >= 2
    assert lost[1] - lost[0] > 0.9


def _names(count):
    return [f"{'x' * 50}{n}.service.example" for n in range(count)]

"""QUIC's handshake: every way it can end, against a real server and what can stand before it."""

from __future__ import annotations

import time

import pytest
from aioquic.quic.connection import QuicConnection

from probe.measure.bytes_on_wire import of_step
from probe.net import quic_process
from tests.probe.conftest import LIMIT, PATIENT
from tests.support import quic_server
from tests.support.authority import Authority
from tests.support.servers import HERE

ADDRESS, HOST = "198.51.100.7", "service.example"


@pytest.fixture
def shake(authority, clock):
    """Shake hands with a loopback port, as the process that is made for it does."""

    async def to(port: int, name: str = HOST, limit: float = PATIENT):
        asked = quic_process.QuicHandshake(target=HOST, address=ADDRESS, name=name, limit_s=limit)
        return await quic_process.handshake_step(
            quic_process.DialledHandshake(asked, (HERE, port)), authority.file, clock
        )

    return to


async def test_a_handshake_that_works_shows_the_certificate(shake, authority):
    """As over TLS; and it takes a few kilobytes, since QUIC pads what it begins with to 1,200 bytes."""
    async with quic_server.server(authority.write(HOST, "*.other.example")) as port:
        step = await shake(port)
    assert (step.op, step.part, step.target, step.via) == ("quic", "target", HOST, HOST)
    assert (step.address, step.failure, step.certificate_failure) == (f"{ADDRESS}:443", None, None)
    assert (step.names, len(step.certificate)) == (("*.other.example", HOST), 64)
    assert 1200 < step.sent < 4000
    assert 1200 <= step.received < 4000
    assert of_step(step) >= step.sent + step.received + 3 * 28


async def test_a_certificate_that_is_too_long_for_a_datagram_comes_in_several(shake, tmp_path, authority):
    """An intermediate authority is judged as in TLS."""
    async with quic_server.server(Authority(tmp_path, "Between", parent=authority).write(HOST, *_names(40))) as port:
        step = await shake(port)
    assert (step.failure, step.certificate_failure, len(step.names)) == (None, None, 8)


@pytest.mark.parametrize(
    ("who", "names", "days", "failure"),
    [
        ("stranger", (HOST,), (-1, 30), "ssl_unknown_authority"),
        ("authority", ("notice.example",), (-1, 30), "ssl_invalid_hostname"),
        ("authority", (HOST,), (-9, -2), "ssl_invalid_certificate"),
    ],
)
async def test_a_wrong_certificate_is_a_fact_of_a_handshake_that_worked(request, shake, who, names, days, failure):
    """It comes through to be seen."""
    async with quic_server.server(request.getfixturevalue(who).write(*names, days=days)) as port:
        step = await shake(port)
    assert (step.failure, step.certificate_failure) == (None, failure)


async def test_a_server_without_http3_refuses_the_handshake(shake, authority):
    """By an alert of TLS, at once and not when a closing period is over."""
    async with quic_server.server(authority.write(HOST), protocol="doq") as port:
        step = await shake(port)
    assert (step.failure, step.certificate) == ("ssl_failed_handshake", "")
    assert step.end_ms - step.start_ms < 900


async def test_a_server_of_another_version_is_named(shake):
    """As OONI does."""
    async with quic_server.says(quic_server.another_version) as port:
        assert (await shake(port)).failure == "quic_incompatible_version"


@pytest.mark.parametrize("answer", [lambda _: [], quic_server.noise])
async def test_silence_and_noise_are_a_timeout(shake, answer):
    """One datagram of 1,200 bytes is spent on it in the first second."""
    async with quic_server.says(answer) as port:
        step = await shake(port, limit=LIMIT)
    assert (step.failure, step.sent) == ("generic_timeout_error", 1200)
    assert LIMIT * 1000 <= step.end_ms - step.start_ms < LIMIT * 3000


async def test_a_closed_port_refuses(shake):
    """ICMP says so."""
    with quic_server.refusing() as port:
        step = await shake(port)
    assert (step.failure, step.received) == ("connection_refused", 0)
    assert step.end_ms - step.start_ms < 900


async def test_a_name_that_a_middle_cuts_goes_unanswered(shake, authority):
    """It reads the name in the Initial, as a censor can; another name before it gets through."""
    async with quic_server.server(authority.write(HOST)) as behind, quic_server.middle(behind, HOST) as port:
        before = await shake(port, "harmless.example")
        cut = await shake(port, limit=LIMIT)
        after = await shake(port, "harmless.example", limit=LIMIT)
    assert [s.failure for s in (before, cut, after)] == [None, "generic_timeout_error", "generic_timeout_error"]


async def test_an_answer_that_makes_the_library_stumble_is_a_fact(shake, authority, monkeypatch):
    """Somebody on the way could send it: no bug of ours, that would spoil the run."""

    def stumbles(*_):
        raise AssertionError

    async with quic_server.server(authority.write(HOST)) as port:
        receive = QuicConnection.receive_datagram
        monkeypatch.setattr(
            QuicConnection, "receive_datagram", lambda c, *a, **k: stumbles() if c._is_client else receive(c, *a, **k)
        )
        assert (await shake(port)).failure == "unknown_failure: QUIC: AssertionError"


async def test_an_initial_that_is_lost_is_sent_again(shake, authority):
    """After a second, as RFC 9002 has it."""
    lost = []

    def loses(data):
        lost.append(time.monotonic())
        return []

    async with quic_server.says(loses) as port:
        step = await shake(port, limit=1.3)
    assert step.sent == 1200 * len(lost)
    assert len(lost) >= 2
    assert lost[1] - lost[0] > 0.9


def _names(count):
    return [f"{'x' * 50}{n}.service.example" for n in range(count)]

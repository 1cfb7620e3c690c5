"""A bounded download and its curve of bytes over time."""

from __future__ import annotations

import pytest

from probe.net.download import curve
from probe.net.http_client import LARGEST
from tests.support import servers

ADDRESS, HOST = "198.51.100.80", "service.example"


async def download(network, dialer, clock, authority, handler, limit=5.0):
    """Download from a server with this handler; returns the step."""
    async with servers.tcp(handler, authority.issue(HOST)) as port:
        dialer.ports[ADDRESS, 443] = port
        with await network.connect(HOST, ADDRESS, 443, limit=limit, clock=clock) as connection:
            await connection.handshake(HOST)
            await connection.transfer(HOST, "/big")
    step = connection.steps[-1]
    assert (step.op, step.via) == ("transfer", "GET /big")
    return step


def test_the_curve_says_how_much_had_come_by_each_eighth():
    """For bytes that come evenly, at once, late, and not at all."""
    even = [(10.0 * n, 100 * n) for n in range(1, 9)]
    assert curve(even, 0.0, 80.0) == (100, 200, 300, 400, 500, 600, 700, 800)
    assert curve([(1.0, 500)], 0.0, 80.0) == (500,) * 8
    assert curve([(79.0, 500)], 0.0, 80.0) == (0,) * 7 + (500,)
    assert curve([], 0.0, 80.0) == ()


async def test_a_whole_answer_is_downloaded(network, dialer, clock, authority):
    """The curve ends at the bytes that came over the network."""
    step = await download(network, dialer, clock, authority, servers.site(bytes(20_000)))
    assert (step.failure, step.status) == (None, 200)
    assert 20_000 < step.length < 20_200
    assert step.curve[-1] == step.received > 20_000


async def test_a_large_answer_is_downloaded_in_part(network, dialer, clock, authority):
    """Up to LARGEST, plus what is already in the socket then."""
    step = await download(network, dialer, clock, authority, servers.site(bytes(10 * LARGEST)))
    assert step.failure is None
    assert LARGEST <= step.received < LARGEST + 40_000


async def test_a_slow_download_is_no_failure(network, dialer, clock, authority):
    """It ends when the time is up, and the curve shows what came by then."""
    slow = servers.site(bytes(10_000), pieces=100, pause=0.01)
    step = await download(network, dialer, clock, authority, slow, limit=0.5)
    assert step.failure is None
    assert 0 < step.received < 12_000
    assert len({*step.curve}) >= 5


async def test_a_stalled_download_is_a_failure(network, dialer, clock, authority):
    """The bytes that came before the stall are recorded."""
    step = await download(network, dialer, clock, authority, servers.site(bytes(9_000), promised=20_000), limit=0.6)
    assert step.failure == "generic_timeout_error"
    assert 9_000 < step.received < 10_000
    assert step.curve[0] == step.curve[-1] == step.received


@pytest.mark.parametrize(
    ("handler", "failure"),
    [
        (servers.silent, "generic_timeout_error"),
        (servers.resets_after_reading, "connection_reset"),
        (servers.ends_after_reading, "eof_error"),
    ],
)
async def test_a_transfer_that_never_begins_is_a_failure(network, dialer, clock, authority, handler, failure):
    """By silence, a reset or the end of the stream."""
    step = await download(network, dialer, clock, authority, handler, limit=0.6)
    assert step.failure == failure
    assert step.received < 1000  # what TLS itself sends after a handshake


async def test_an_answer_shorter_than_announced_is_a_failure(network, dialer, clock, authority):
    """Fewer bytes came than Content-Length says."""

    async def breaks_off(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nabc")
        await writer.drain()

    step = await download(network, dialer, clock, authority, breaks_off)
    assert step.failure == "eof_error"

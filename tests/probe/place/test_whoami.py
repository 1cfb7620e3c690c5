"""Which network the probe is in."""

from __future__ import annotations

import pytest
import structlog.testing

from probe.base.errors import UserError
from probe.place import vantage, whoami
from probe.place.routes import RouteCheck
from probe.place.vantage import configured
from probe.place.whoami import Whoami
from probe.protocol import prefix_table
from probe.protocol.measurement import Vantage
from tests.support import servers

BASE = Vantage(role="reference", access="mobile", access_how="declared", line="3f", line_how="declared")
KNOWN = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"asn": 7552, "country": "VN", "more": 1}'


@pytest.fixture
def source(monkeypatch):
    """This machine's address towards the endpoint; a test may change it."""
    address = ["192.168.1.7"]
    for module in (vantage, whoami):
        monkeypatch.setattr(module, "own_address", lambda family: address[0])
    return address


async def test_a_configured_vantage_is_what_was_configured():
    """Nobody is asked."""
    assert await configured(BASE)() == BASE


async def test_the_operators_endpoint_says_the_network():
    """The rest is what was declared."""
    async with servers.tcp(servers.says(KNOWN)) as port:
        found = await Whoami(f"http://127.0.0.1:{port}/v1/whoami", BASE)()
    assert (found.asn, found.asn_how, found.country) == (7552, "whoami", "VN")
    assert (found.role, found.access, found.line) == ("reference", "mobile", "3f")


@pytest.mark.usefixtures("source")
async def test_an_answer_is_remembered_while_the_endpoint_is_cut_off():
    """A block may take it too, just then."""
    async with servers.tcp(servers.says(KNOWN)) as port:
        ask = Whoami(f"http://127.0.0.1:{port}", BASE, fresh_s=0.0)
        first = await ask()
    assert await ask() == first
    assert ask.used_bytes == 2400


@pytest.mark.usefixtures("source")
async def test_on_the_same_network_nobody_is_asked_again_and_again():
    """A run asks before and after; the endpoint hears of it every few hours, and after an interruption."""
    asked = []

    async def answer(reader, writer):
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(KNOWN)

    async with servers.tcp(answer) as port:
        ask = Whoami(f"http://127.0.0.1:{port}", BASE)
        assert {await ask() for _ in range(4)} == {await ask()}
        assert len(asked) == 1
        ask.doubt()
        first = await ask()
        assert (await ask(), len(asked)) == (first, 2)
    ask.doubt()
    assert await ask() == first


@pytest.mark.usefixtures("source")
async def test_a_silent_endpoint_is_not_waited_for_twice_in_a_run():
    """Nor by the next run, on the same network."""
    ask = Whoami("http://127.0.0.1:1", BASE)
    assert [await ask() for _ in range(3)] == [BASE] * 3
    assert ask.used_bytes == 1200


async def test_on_another_network_an_old_answer_is_forgotten(source):
    """This machine has another address there."""
    async with servers.tcp(servers.says(KNOWN)) as port:
        ask = Whoami(f"http://127.0.0.1:{port}", BASE)
        await ask()
    source[0] = "10.0.0.7"
    assert await ask() == BASE


@pytest.mark.usefixtures("source")
async def test_an_old_answer_is_forgotten_in_time():
    """After a day, or here at once."""
    async with servers.tcp(servers.says(KNOWN)) as port:
        ask = Whoami(f"http://127.0.0.1:{port}", BASE, fresh_s=0.0, keep_s=0.0)
        await ask()
    assert await ask() == BASE


@pytest.mark.parametrize(
    "handler",
    [
        servers.resets_after_reading,
        servers.silent,
        servers.says(b"HTTP/1.1 200 OK\r\n\r\nno json"),
        servers.says(b'HTTP/1.1 200 OK\r\n\r\n{"asn": "x"}'),
        servers.says(b'HTTP/1.1 200 OK\r\n\r\n{"asn": 0, "country": ""}'),
        servers.says(b"HTTP/1.1 503 No\r\n\r\n{}"),
        servers.says(b"junk"),
    ],
)
async def test_an_endpoint_that_misbehaves_says_nothing(handler):
    """And the run goes on with what is configured."""
    async with servers.tcp(handler) as port:
        assert await Whoami(f"http://127.0.0.1:{port}", BASE, timeout=0.2)() == BASE


@pytest.mark.parametrize("url", ["ftp://x/", "whoami", "http:///v1"])
def test_an_address_that_is_none_is_named(url):
    """At the start."""
    with pytest.raises(UserError, match=url):
        Whoami(url, BASE)


def test_a_detour_is_told_once_and_its_end_too():
    """Never by an interface's name or an address."""
    look = {p: RouteCheck((), p) for p in ("direct", "vpn", "unknown")}
    notice = vantage.PathNotice()
    with structlog.testing.capture_logs() as said:
        for path in ("direct", "vpn", "vpn", "unknown", "vpn", "direct", "direct"):
            notice.path(path)
    assert [(s["log_level"], "why" in s) for s in said] == [("warning", True), ("info", False)]
    found = vantage.of_run(BASE, BASE, look["vpn"], look["vpn"], "provider")
    assert (found.path, found.resolver, found.changed) == ("vpn", "provider", False)
    assert vantage.of_run(BASE, BASE, look["direct"], look["vpn"], "unknown").changed


@pytest.mark.parametrize(
    ("address", "base", "asn", "how"),
    [
        ("203.0.113.7", Vantage(), 64500, "table"),
        ("192.168.1.7", Vantage(), 0, "unknown"),
        ("198.51.100.7", Vantage(), 0, "unknown"),
        ("", Vantage(), 0, "unknown"),
        ("203.0.113.7", Vantage(asn=64999, asn_how="configured"), 64999, "configured"),
    ],
)
async def test_an_offline_table_tells_the_network_of_an_address_that_the_internet_sees(
    source, tmp_path, address, base, asn, how
):
    """Where nothing else told it."""
    source[0] = address
    file = tmp_path / "prefixes.csv"
    file.write_text("# date: 2026-05-01\nprefix,asn,country\n203.0.113.0/24,64500,ZZ\n")
    found = await vantage.by_table(configured(base), prefix_table.read(file))()
    assert (found.asn, found.asn_how) == (asn, how)
    assert "203.0.113.7" not in repr(found)

"""The operator's endpoint tells which network the probe is in."""

from __future__ import annotations

import msgspec
import pytest

from probe.base.errors import UserError
from probe.place import whoami
from probe.place.rtnetlink import Route
from probe.place.this_network import NetworkState
from probe.place.whoami import Whoami, WhoamiMemory
from probe.protocol.measurement import Vantage
from tests.support import servers

BASE = Vantage(role="reference", access="mobile", access_how="declared", line="3f", line_how="declared")
KNOWN = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"asn": 7552, "country": "VN", "more": 1}'


@pytest.fixture
def network(monkeypatch):
    """The present state of this machine's network, in a list; a test may replace it."""
    states = [NetworkState((Route(4, "wlan0", "192.168.1.1", "192.168.1.7"),), "02:00:5e:10:20:30")]
    monkeypatch.setattr(whoami, "current_network", lambda: states[0])
    return states


async def test_the_operators_endpoint_tells_the_network():
    """The rest is what was declared."""
    async with servers.tcp(servers.says(KNOWN)) as port:
        found = await Whoami(f"http://127.0.0.1:{port}/v1/whoami", BASE)()
    assert (found.asn, found.asn_how, found.country) == (7552, "whoami", "VN")
    assert (found.role, found.access, found.line) == ("reference", "mobile", "3f")


@pytest.mark.usefixtures("network")
async def test_an_answer_is_remembered_while_the_endpoint_is_cut_off():
    """A block may affect it too, just when it matters."""
    async with servers.tcp(servers.says(KNOWN)) as port:
        ask = Whoami(f"http://127.0.0.1:{port}", BASE, fresh_s=0.0)
        first = await ask()
    assert await ask() == first
    assert ask.used_bytes == 2400


@pytest.mark.usefixtures("network")
async def test_on_the_same_network_an_answer_is_reused():
    """A run asks before and after; the endpoint gets a request every few hours, and after an interruption."""
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


@pytest.mark.usefixtures("network")
async def test_a_silent_endpoint_is_not_waited_for_twice_in_a_run():
    """Nor in the next run, on the same network."""
    ask = Whoami("http://127.0.0.1:1", BASE)
    assert [await ask() for _ in range(3)] == [BASE] * 3
    assert ask.used_bytes == 1200


LINE6 = Route(6, "wlan0", "fe80::1", "2001:db8::7")


@pytest.mark.parametrize(
    "change",
    [
        lambda n: n._replace(routes=(n.routes[0]._replace(source="10.0.0.7"),)),
        lambda n: n._replace(routes=(n.routes[0]._replace(gateway="192.168.1.2"),)),
        lambda n: n._replace(routes=(n.routes[0]._replace(interface="eth0"),)),
        lambda n: n._replace(routes=(*n.routes, LINE6)),
        lambda n: n._replace(routes=()),
        lambda n: n._replace(gateway_mac="02:00:5e:10:20:31"),
    ],
)
async def test_on_another_network_an_old_answer_is_forgotten(network, change):
    """Any difference counts: the AS number of another network must never be kept."""
    async with servers.tcp(servers.says(KNOWN)) as port:
        ask = Whoami(f"http://127.0.0.1:{port}", BASE)
        await ask()
    network[0] = change(network[0])
    assert await ask() == BASE


async def test_an_answer_during_which_the_network_changed_is_dropped(network):
    """It may be about the network before the change; the next call asks again."""
    other = network[0]._replace(gateway_mac="02:00:5e:10:20:31")

    async def answer(reader, writer):
        network[0] = other
        await servers.says(KNOWN)(reader, writer)

    async with servers.tcp(answer) as port:
        ask = Whoami(f"http://127.0.0.1:{port}", BASE)
        assert await ask() == BASE
        assert (await ask()).asn == 7552


async def test_that_the_request_made_the_gateway_known_is_no_change(network):
    """The kernel looks the gateway's hardware address up when the first packet is sent."""
    known = network[0]
    network[0] = known._replace(gateway_mac="")

    async def answer(reader, writer):
        network[0] = known
        await servers.says(KNOWN)(reader, writer)

    async with servers.tcp(answer) as port:
        ask = Whoami(f"http://127.0.0.1:{port}", BASE)
        assert (await ask()).asn == 7552
    assert (await ask()).asn == 7552


@pytest.mark.usefixtures("network")
async def test_an_old_answer_is_forgotten_in_time():
    """After a day by default; here at once."""
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
async def test_an_endpoint_that_misbehaves_gives_no_answer(handler):
    """The run goes on with what is configured."""
    async with servers.tcp(handler) as port:
        assert await Whoami(f"http://127.0.0.1:{port}", BASE, timeout=0.2)() == BASE


@pytest.mark.parametrize("url", ["ftp://x/", "whoami", "http:///v1"])
def test_an_invalid_address_is_named(url):
    """When the probe is made, not at the first run."""
    with pytest.raises(UserError, match=url):
        Whoami(url, BASE)


@pytest.mark.usefixtures("network")
async def test_the_next_process_of_a_probe_goes_on_from_what_is_known():
    """An answer is kept, a silence not waited for again, and a doubt not forgotten. The memory passes through JSON."""
    asked = []

    async def answer(reader, writer):
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(KNOWN)

    def next_process(before, url):
        ask = Whoami(url, BASE)
        ask.restore(msgspec.json.decode(msgspec.json.encode(before.memory), type=WhoamiMemory))
        return ask

    async with servers.tcp(answer) as port:
        url = f"http://127.0.0.1:{port}"
        ask = Whoami(url, BASE)
        known = await ask()
        ask = next_process(ask, url)
        assert (await ask(), len(asked), ask.peer) == (known, 1, "127.0.0.1")
        ask.doubt()
        ask = next_process(ask, url)
        assert (await ask(), len(asked)) == (known, 2)
    silent = Whoami("http://127.0.0.1:1", BASE)
    await silent()
    silent = next_process(silent, "http://127.0.0.1:1")
    assert (await silent(), silent.used_bytes) == (BASE, 0)

"""Where a probe measures from, and whether the AS numbers of its networks agree."""

from __future__ import annotations

import pytest
import structlog.testing

from probe.net.dialer import RealDialer
from probe.place import routes, this_network, vantage
from probe.place.known_networks import KnownNetworks
from probe.place.routes import RouteCheck
from probe.place.rtnetlink import Route
from probe.place.this_network import KnownNetwork, NetworkState
from probe.place.vantage import VantageSource, configured
from probe.place.whoami import Whoami
from probe.protocol import prefix_table
from probe.protocol.keys import Key
from probe.protocol.measurement import Vantage
from tests.support import servers
from tests.support.factory import TEST_WATCH
from tests.support.servers import MappedDialer

TABLE = "# date: 2026-05-01\nprefix,asn,country\n203.0.113.0/24,64500,ZZ\n2001:db8:1::/48,64500,ZZ\n"
TABLE += "2001:db8:2::/48,64999,ZZ\n198.51.100.0/24,64999,ZZ\n"
LINE = Route(4, "wlan0", "192.168.1.1", "192.168.1.7")
PUBLIC = LINE._replace(source="203.0.113.77")
ELSEWHERE = LINE._replace(source="198.51.100.77")
LINE6 = Route(6, "wlan0", "fe80::1", "2001:db8:1::7")
BROKER6 = LINE6._replace(source="2001:db8:2::7")
SPLIT = LINE._replace(interface="eth1")
CONTROL, RESOLVER, ENDPOINT = "203.0.113.9", "203.0.113.53", "203.0.113.1"


class RouterDialer(RealDialer):
    """This machine, whose resolver is the router."""

    def system_resolver(self):
        """The router's."""
        return "192.168.1.1", 53


@pytest.fixture
def key():
    """A probe's key."""
    return Key.create("user")


@pytest.fixture
def kernel(monkeypatch):
    """The kernel's routes by destination; everything leaves over the line unless a test says otherwise."""
    by_destination = {}
    monkeypatch.setattr(routes, "_route", lambda address: by_destination.get(address, by_destination.get("*", LINE)))
    monkeypatch.setattr(this_network, "current_network", lambda: NetworkState((LINE,), "02:00:5e:10:20:30"))
    monkeypatch.setattr(routes, "_PROXY_VARIABLES", ())
    return by_destination


@pytest.fixture
def table(tmp_path):
    """A prefix table with two networks."""
    file = tmp_path / "prefixes.csv"
    file.write_text(TABLE)
    return prefix_table.read(file)


def at(tmp_path, key, base, table=None, dialer=None):
    """A probe's source of vantages."""
    file = KnownNetworks(tmp_path / "networks.json", key)
    return VantageSource(base, lambda: TEST_WATCH, dialer or RouterDialer(), file, table)


@pytest.mark.parametrize(
    ("asn", "by_destination", "path"),
    [
        (0, {}, "unknown"),
        (64500, {}, "unknown"),
        (64500, {"*": PUBLIC}, "unknown"),
        (64500, {ENDPOINT: ELSEWHERE}, "split"),
        (64500, {CONTROL: ELSEWHERE}, "split"),
        (64500, {RESOLVER: ELSEWHERE}, "split"),
        (0, {CONTROL: PUBLIC, ENDPOINT: ELSEWHERE}, "split"),
        (0, {CONTROL: PUBLIC, ENDPOINT: LINE6}, "unknown"),
        (0, {CONTROL: PUBLIC, ENDPOINT: BROKER6}, "split"),
        (64501, {"*": PUBLIC}, "split"),
        (0, {RESOLVER: SPLIT}, "split"),
    ],
)
async def test_target_control_and_resolvers_must_be_reached_over_one_network(
    tmp_path, key, kernel, table, asn, by_destination, path
):
    """By the table: a tunnel that looks like a line has another network's address, and so has a broker's IPv6."""
    kernel.update(by_destination)
    base = configured(Vantage(asn=asn, asn_how="configured" if asn else "unknown"))
    assert (await at(tmp_path, key, base, table)()).path == path


async def test_one_provider_may_have_two_numbers(tmp_path, key, kernel, table):
    """If the watch lists both. A reference's cloud may have any number."""
    kernel.update({CONTROL: PUBLIC, ENDPOINT: ELSEWHERE})
    first = TEST_WATCH.providers[0]
    both = tuple(type(first.networks[0])(asn=n) for n in (64500, 64999))
    import msgspec

    watch = msgspec.structs.replace(TEST_WATCH, providers=(msgspec.structs.replace(first, networks=both),))
    found = at(tmp_path, key, configured(Vantage()), table)
    assert (await found()).path == "split"
    found._watch = lambda: watch
    assert (await found()).path == "unknown"
    assert (await at(tmp_path, key, configured(Vantage(role="reference")), table)()).path == "unknown"


async def test_the_endpoint_that_tells_the_number_must_be_reached_over_the_same_line(tmp_path, key, kernel):
    """Otherwise its answer is about another network."""
    answer = servers.says(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"asn": 64500, "country": "ZZ"}')
    async with servers.tcp(answer) as port:
        base = Whoami(f"http://127.0.0.1:{port}", Vantage())
        found = at(tmp_path, key, base)
        assert ((await found()).asn, (await found()).path) == (64500, "unknown")
        base.peer = "203.0.113.200"
        assert (await found()).path == "unknown"
        kernel["203.0.113.200"] = SPLIT
        assert (await found()).path == "split"
    assert found.used_bytes() > 0 == found.used_bytes()


async def test_the_answer_about_a_network_is_applied_and_a_new_one_is_noticed(tmp_path, key, kernel, monkeypatch):
    """Known at home, guessed behind a phone and new; each with how it is known."""
    found = at(tmp_path, key, configured(Vantage(asn=64500)))
    assert (await found()).access == "unknown"
    assert found.is_new
    said = KnownNetwork(access="fixed", access_how="declared", line_kind="home", line_kind_how="declared", line="a")
    KnownNetworks(tmp_path / "networks.json", key).remember(this_network.current_network(), said)
    here = await found()
    assert (here.access, here.access_how, here.line_kind, here.line) == ("fixed", "declared", "home", "a")
    assert not found.is_new
    phone = NetworkState((LINE._replace(gateway="172.20.10.1"),), "02:00:5e:10:20:31")
    monkeypatch.setattr(this_network, "current_network", lambda: phone)
    here = await found()
    assert (here.access, here.access_how, here.line_kind, here.line) == ("mobile", "guessed", "hotspot", "")
    assert found.is_new


async def test_what_is_configured_is_not_asked_about(tmp_path, key, kernel):
    """Nor anything in a lab, whose network is not this machine's."""
    fixed = Vantage(access="fixed", access_how="configured")
    found = at(tmp_path, key, configured(fixed))
    assert ((await found()).access, found.is_new) == ("fixed", False)
    lab = at(tmp_path, key, configured(Vantage()), dialer=MappedDialer())
    assert (await lab() == Vantage(), lab.is_new) == (True, False)


async def test_a_damaged_file_of_networks_stops_nothing(tmp_path, key, kernel):
    """It is logged once, and a guess takes its place."""
    (tmp_path / "networks.json").write_text("{")
    found = at(tmp_path, key, configured(Vantage()))
    with structlog.testing.capture_logs() as said:
        assert {(await found()).access for _ in range(3)} == {"unknown"}
    assert [s["log_level"] for s in said] == ["error"]


async def test_a_configured_vantage_is_what_was_configured():
    """Nobody is asked."""
    base = Vantage(role="reference", access="mobile", access_how="declared", line="3f", line_how="declared")
    assert await configured(base)() == base


def test_the_vantage_of_a_run_is_changed_when_the_path_differs_before_and_after():
    """Otherwise its path and resolver are those of the run."""
    direct, vpn = RouteCheck((), "direct"), RouteCheck((), "vpn")
    found = vantage.of_run(Vantage(), Vantage(), vpn, vpn, "provider")
    assert (found.path, found.resolver, found.changed) == ("vpn", "provider", False)
    assert vantage.of_run(Vantage(), Vantage(), direct, vpn, "unknown").changed


@pytest.mark.parametrize(
    ("address", "base", "asn", "how"),
    [
        ("203.0.113.7", Vantage(), 64500, "table"),
        ("192.168.1.7", Vantage(), 0, "unknown"),
        ("192.0.2.7", Vantage(), 0, "unknown"),
        ("", Vantage(), 0, "unknown"),
        ("203.0.113.7", Vantage(asn=64999, asn_how="configured"), 64999, "configured"),
    ],
)
async def test_an_offline_table_tells_the_network_of_a_public_address(monkeypatch, table, address, base, asn, how):
    """Where no other source tells it."""
    monkeypatch.setattr(vantage, "own_address", lambda family: address)
    found = await vantage.by_table(configured(base), table)()
    assert (found.asn, found.asn_how) == (asn, how)
    assert "203.0.113.7" not in repr(found)

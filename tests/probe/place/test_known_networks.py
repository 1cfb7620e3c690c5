"""The networks that a probe has been in."""

from __future__ import annotations

import pytest

from probe.base.errors import UserError
from probe.place import known_networks, this_network
from probe.place.known_networks import KnownNetworks, network_id
from probe.place.rtnetlink import Route
from probe.place.this_network import KnownNetwork, NetworkState
from probe.protocol.keys import Key
from probe.protocol.measurement import Vantage


def state(interface, gateway, mac=""):
    """A network with one default route."""
    return NetworkState((Route(4, interface, gateway, "192.168.1.7"),), mac)


OFFLINE = NetworkState()
HOME, ASN = state("wlan0", "192.168.1.1", "02:00:5e:10:20:30"), 64500
PHONE = state("wlan0", "192.168.43.1", "02:00:5e:00:00:01")
SAID = KnownNetwork(access="fixed", access_how="declared", line_kind="home", line_kind_how="declared")


@pytest.fixture(scope="module")
def key():
    """A probe's key."""
    return Key.create("user")


def test_a_new_network_is_asked_about_once(tmp_path, key):
    """The answer outlives the process."""
    file = tmp_path / "networks.json"
    known = KnownNetworks(file, key)
    assert known.find(HOME, ASN) is None
    known.remember(HOME, SAID, ASN)
    assert KnownNetworks(file, key).find(HOME, ASN) == SAID
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("other", "asn"), [(HOME._replace(gateway_mac="02:00:5e:10:20:31"), ASN), (HOME, 64501)])
def test_another_router_or_provider_is_another_network(tmp_path, key, other, asn):
    """Most homes have the same address for their gateway."""
    known = KnownNetworks(tmp_path / "networks.json", key)
    known.remember(HOME, SAID, ASN)
    assert known.find(other, asn) is None


def test_the_file_identifies_no_network(tmp_path, key):
    """It holds neither address nor number, and another probe has another identifier for the same network."""
    file = tmp_path / "networks.json"
    KnownNetworks(file, key).remember(HOME, SAID, ASN)
    text = file.read_text()
    assert not any(word in text for word in (HOME.gateway, HOME.gateway_mac, "64500", "wlan0"))
    assert network_id(HOME, key) in text
    assert network_id(HOME, key) != network_id(HOME, Key.create("user"))


def test_an_answer_from_before_the_number_is_known_holds_for_the_first_number_seen(tmp_path, key):
    """Setup asks before the number is known. A router that fails over to another line later is another network."""
    known = KnownNetworks(tmp_path / "networks.json", key)
    known.remember(HOME, SAID)
    assert known.find(HOME, ASN) == SAID
    assert known.find(HOME) == SAID
    assert known.is_new(HOME, 64501)
    spare = KnownNetwork(access="mobile", access_how="declared")
    known.remember(HOME, spare, 64501)
    assert (known.find(HOME, ASN), known.find(HOME, 64501)) == (SAID, spare)


def test_a_network_that_cannot_be_identified_is_not_remembered(tmp_path, key):
    """Without the gateway's hardware address nothing distinguishes it from others."""
    known = KnownNetworks(tmp_path / "networks.json", key)
    assert not known.remember(OFFLINE, SAID)
    assert not known.remember(state("tun0", ""), SAID, ASN)
    assert not known.is_new(state("tun0", ""), ASN)
    assert not (tmp_path / "networks.json").exists()


@pytest.mark.parametrize(
    ("network", "access", "line_kind"),
    [
        (state("wlan0", "192.168.43.1"), "mobile", "hotspot"),
        (state("en0", "172.20.10.1"), "mobile", "hotspot"),
        (state("usb0", "192.168.225.1"), "mobile", "hotspot"),
        (state("wwan0", ""), "mobile", "unknown"),
        (state("wlan0", "172.20.10.17"), "unknown", "unknown"),
        (HOME, "unknown", "unknown"),
        (OFFLINE, "unknown", "unknown"),
    ],
)
def test_a_laptop_behind_a_phone_is_mobile(network, access, line_kind):
    """Recognised by the networks that phones hand out, and marked as a guess."""
    found = this_network.guess(network)
    assert (found.access, found.line_kind) == (access, line_kind)
    assert found.access_how == ("unknown" if access == "unknown" else "guessed")


def test_an_answer_takes_precedence_over_a_guess(tmp_path, key):
    """Some home routers have a phone's address."""
    known = KnownNetworks(tmp_path / "networks.json", key)
    assert known.of(PHONE).access == "mobile"
    known.remember(PHONE, SAID)
    assert known.of(PHONE) == SAID


def test_a_configured_vantage_is_left_as_it_is():
    """What is known of the network fills only what was not configured, each with how it is known."""
    vantage = Vantage(access="mobile", access_how="configured")
    found = known_networks.apply(vantage, SAID)
    assert (found.access, found.access_how) == ("mobile", "configured")
    assert (found.line_kind, found.line_kind_how) == ("home", "declared")


def test_a_damaged_file_is_named(tmp_path, key):
    """The error says what to do."""
    file = tmp_path / "networks.json"
    file.write_text("{")
    with pytest.raises(UserError, match=r"networks\.json.*Delete it"):
        KnownNetworks(file, key).find(HOME)

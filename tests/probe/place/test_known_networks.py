"""The networks that a probe has been in."""

from __future__ import annotations

import pytest

from probe.base.errors import UserError
from probe.place import known_networks, this_network
from probe.place.known_networks import KnownNetworks
from probe.place.this_network import Here, KnownNetwork
from probe.protocol.keys import Key
from probe.protocol.measurement import Vantage

HOME = Here("wlan0", "192.168.1.1", "02:00:5e:10:20:30", 64500)
PHONE = Here("wlan0", "192.168.43.1", "02:00:5e:00:00:01", 0)
SAID = KnownNetwork(access="fixed", access_how="declared", line_kind="home", line_kind_how="declared")


@pytest.fixture(scope="module")
def key():
    """A probe's key."""
    return Key.create("user")


def test_a_new_network_is_asked_about_once(tmp_path, key):
    """What was said is there in the probe's next life."""
    file = tmp_path / "networks.json"
    known = KnownNetworks(file, key)
    assert known.find(HOME) is None
    known.remember(HOME, SAID)
    assert KnownNetworks(file, key).find(HOME) == SAID
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("other", [HOME._replace(gateway_mac="02:00:5e:10:20:31"), HOME._replace(asn=64501)])
def test_another_router_or_provider_is_another_network(tmp_path, key, other):
    """Most homes have the same address for their gateway."""
    known = KnownNetworks(tmp_path / "networks.json", key)
    known.remember(HOME, SAID)
    assert known.find(other) is None


def test_the_file_names_no_network(tmp_path, key):
    """Neither address nor number stands in it, and another probe calls the same network something else."""
    file = tmp_path / "networks.json"
    KnownNetworks(file, key).remember(HOME, SAID)
    text = file.read_text()
    assert not any(word in text for word in (HOME.gateway, HOME.gateway_mac, "64500", "wlan0"))
    assert HOME.name(key) in text
    assert HOME.name(key) != HOME.name(Key.create("user"))


def test_what_was_said_before_the_number_is_known_holds_for_the_first_number_seen(tmp_path, key):
    """Setup answers before anybody told the number. A line that fails over to another one later is another network."""
    known = KnownNetworks(tmp_path / "networks.json", key)
    known.remember(HOME._replace(asn=0), SAID)
    assert known.find(HOME) == SAID
    assert known.find(HOME._replace(asn=0)) == SAID
    assert known.is_new(HOME._replace(asn=64501))
    spare = KnownNetwork(access="mobile", access_how="declared")
    known.remember(HOME._replace(asn=64501), spare)
    assert (known.find(HOME), known.find(HOME._replace(asn=64501))) == (SAID, spare)


def test_nowhere_is_not_remembered(tmp_path, key):
    """Without a gateway and a number nothing tells it from others."""
    known = KnownNetworks(tmp_path / "networks.json", key)
    assert not known.remember(Here("", "", "", 0), SAID)
    assert not known.remember(Here("tun0", "", "", 64500), SAID)
    assert not known.is_new(Here("tun0", "", "", 64500))
    assert not (tmp_path / "networks.json").exists()


@pytest.mark.parametrize(
    ("at", "access", "line_kind"),
    [
        (Here("wlan0", "192.168.43.1", "", 0), "mobile", "hotspot"),
        (Here("en0", "172.20.10.1", "", 0), "mobile", "hotspot"),
        (Here("usb0", "192.168.225.1", "", 0), "mobile", "hotspot"),
        (Here("wwan0", "", "", 0), "mobile", "unknown"),
        (Here("wlan0", "172.20.10.17", "", 0), "unknown", "unknown"),
        (HOME, "unknown", "unknown"),
        (Here("", "", "", 0), "unknown", "unknown"),
    ],
)
def test_a_laptop_behind_a_phone_is_mobile(at, access, line_kind):
    """By what phones hand out, and said to be a guess."""
    found = this_network.guess(at)
    assert (found.access, found.line_kind) == (access, line_kind)
    assert found.access_how == ("unknown" if access == "unknown" else "guessed")


def test_what_was_said_goes_before_a_guess(tmp_path, key):
    """Some home routers have a phone's address."""
    phone_like = PHONE
    known = KnownNetworks(tmp_path / "networks.json", key)
    assert known.of(phone_like).access == "mobile"
    known.remember(phone_like, SAID)
    assert known.of(phone_like) == SAID


def test_a_configured_vantage_is_left_as_it_is():
    """What is known of the network fills only what was left open, each with how it is known."""
    vantage = Vantage(access="mobile", access_how="configured")
    found = known_networks.apply(vantage, SAID)
    assert (found.access, found.access_how) == ("mobile", "configured")
    assert (found.line_kind, found.line_kind_how) == ("home", "declared")


def test_a_spoiled_file_is_named(tmp_path, key):
    """With what to do."""
    file = tmp_path / "networks.json"
    file.write_text("{")
    with pytest.raises(UserError, match=r"networks\.json.*Delete it"):
        KnownNetworks(file, key).find(HOME)

"""Which addresses can't be a service."""

from __future__ import annotations

import pytest

from probe.protocol.addresses import endpoint, is_bogon

_BOGONS = """
10.1.2.3 127.0.0.53 169.254.1.1 172.31.0.1 192.168.0.1 100.100.1.1 224.0.0.251 0.0.0.0 255.255.255.255 240.1.1.1
198.18.0.1 :: ::1 fe80::1 fd00::1 ff02::1 ::ffff:8.8.8.8 router.lan 1.2.3
"""


@pytest.mark.parametrize("address", [*_BOGONS.split(), ""])
def test_bogons(address):
    """Private, loopback, link-local, carrier-grade NAT, multicast, reserved, and text that is not an address."""
    assert is_bogon(address)


@pytest.mark.parametrize(
    "address", ["149.154.167.51", "2001:67c:4e8:f002::a", "192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1"]
)
def test_public_and_documentation_addresses_are_no_bogons(address):
    """The lab's country uses the documentation networks."""
    assert not is_bogon(address)


def test_endpoints_are_written_with_their_port():
    """IPv6 in brackets."""
    assert (endpoint("192.0.2.1", 80), endpoint("2001:db8::1", 443)) == ("192.0.2.1:80", "[2001:db8::1]:443")

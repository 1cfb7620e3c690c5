"""How packets would leave this machine."""

from __future__ import annotations

import sys

import pytest

from probe.net.dialer import RealDialer, source_address
from probe.place import routes, rtnetlink
from probe.place.routes import RouteCheck
from probe.place.rtnetlink import Route
from tests.support.factory import TEST_WATCH
from tests.support.servers import MappedDialer

ETH = Route(4, "eth0", "192.168.1.1", "192.168.1.7")
ETH6 = Route(6, "eth0", "fe80::1", "2001:db8::7")
WLAN = Route(4, "wlan0", "192.168.2.1", "192.168.2.7")
TUN = Route(4, "tun0", "", "10.8.0.2")


@pytest.mark.parametrize(
    ("found", "environment", "path"),
    [
        ({ETH, ETH6}, {}, "direct"),
        ({ETH, ETH6._replace(interface="wlan0")}, {}, "direct"),
        ({TUN}, {}, "vpn"),
        ({ETH, TUN}, {}, "split"),
        ({ETH, WLAN}, {}, "split"),
        ({ETH6, TUN}, {}, "split"),
        ({ETH}, {"https_proxy": "http://proxy.example:3128"}, "proxy"),
        ({ETH}, {"ALL_PROXY": "socks5://proxy.example"}, "proxy"),
        ({ETH}, {"no_proxy": "*"}, "direct"),
        ({TUN}, {"http_proxy": "http://proxy.example"}, "vpn"),
        ({ETH._replace(interface="")}, {}, "unknown"),
        (set(), {}, "unknown"),
    ],
)
def test_the_path_follows_from_the_routes(found, environment, path):
    """One line without tunnel or proxy is direct; everything else has a word of its own."""
    assert routes._path(found, environment) == path


def test_a_route_that_changes_during_a_run_is_a_change():
    """The same path over another network is another line."""
    before, after = RouteCheck((ETH,), "direct"), RouteCheck((WLAN,), "direct")
    assert routes.between(before, before) == "direct"
    assert routes.between(before, after) == "changed"
    assert routes.between(before, RouteCheck((), "unknown")) == "changed"


@pytest.mark.parametrize("name", ["tun0", "wg0", "utun3", "ppp0", "CloudflareWARP", "tailscale0", "nordlynx"])
def test_a_tunnel_is_recognised_by_its_name(name):
    """Where the kernel tells nothing more about it."""
    assert routes.is_tunnel(name)


@pytest.mark.parametrize("name", ["eth0", "wlan0", "enp3s0", "v4-rmnet0", "wwan0", "usb0", ""])
def test_a_line_is_no_tunnel(name):
    """Neither is a mobile network's own device for IPv4."""
    assert not routes.is_tunnel(name)


def test_routes_for_half_of_all_addresses_are_a_vpns():
    """OpenVPN and WireGuard override the default route like this."""
    table = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "vpn-lan\t00000000\t0101080A\t0003\t0\t0\t0\t00000080\t0\t0\t0\n"
        "vpn-lan\t00000080\t0101080A\t0003\t0\t0\t0\t00000080\t0\t0\t0\n"
    )
    assert routes._overriding(table) == {"vpn-lan"}


def test_this_machine_itself_has_no_route():
    """A stub resolver on loopback tells nothing about the line."""
    assert routes.check_routes(["127.0.0.1", "::1", "no address"], {}) == RouteCheck((None, None, None), "unknown")


def test_a_labs_routes_are_not_checked():
    """Its dialer does not connect to the addresses that it is given."""
    assert routes.of_run(TEST_WATCH, MappedDialer()) == RouteCheck((), "unknown")


def test_the_route_to_everything_that_a_run_contacts_is_checked():
    """The service, the control, the second resolver and the line's own."""

    class Dialer(RealDialer):
        def system_resolver(self):
            return "192.0.2.53", 53

    expected = ("203.0.113.1", "203.0.113.9", "203.0.113.53", "192.0.2.53")
    assert routes.destinations(TEST_WATCH, Dialer()) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="other systems don't tell the interface")
def test_the_kernels_answer_agrees_with_a_connected_socket():
    """Two ways to find this machine's own address, and neither sends a packet."""
    address = routes.ipaddress.ip_address(routes.ELSEWHERE)
    queried = rtnetlink.query_route(address)
    assert (queried.source if queried else "") == source_address(routes.ELSEWHERE)
    assert queried is None or queried.interface

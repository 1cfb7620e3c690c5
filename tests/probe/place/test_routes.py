"""By which way packets would leave this machine."""

from __future__ import annotations

import sys

import pytest

from probe.net.dialer import RealDialer
from probe.place import routes, rtnetlink
from probe.place.routes import RouteCheck
from probe.place.rtnetlink import Route
from tests.support.aggregators import TEST_WATCH
from tests.support.servers import MappedDialer

ETH = Route(4, "eth0", "192.168.1.1", "192.168.1.7")
ETH6 = Route(6, "eth0", "fe80::1", "2001:db8::7")
WLAN = Route(4, "wlan0", "192.168.2.1", "192.168.2.7")
TUN = Route(4, "tun0", "", "10.8.0.2")


@pytest.mark.parametrize(
    ("ways", "environment", "path"),
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
def test_the_path_follows_from_the_ways(ways, environment, path):
    """One line is direct, and everything else has a word of its own."""
    assert routes._path(ways, environment) == path


def test_a_way_that_moved_in_a_run_is_a_change():
    """The same path by another network is not the same line."""
    before, after = RouteCheck((ETH,), "direct"), RouteCheck((WLAN,), "direct")
    assert routes.between(before, before) == "direct"
    assert routes.between(before, after) == "changed"
    assert routes.between(before, RouteCheck((), "unknown")) == "changed"


@pytest.mark.parametrize("name", ["tun0", "wg0", "utun3", "ppp0", "CloudflareWARP", "tailscale0", "nordlynx"])
def test_a_tunnel_is_known_by_its_name(name):
    """Where the kernel says nothing more of it."""
    assert routes.tunnels(name)


@pytest.mark.parametrize("name", ["eth0", "wlan0", "enp3s0", "v4-rmnet0", "wwan0", "usb0", ""])
def test_a_line_is_no_tunnel(name):
    """A mobile network's own device for IPv4 neither."""
    assert not routes.tunnels(name)


def test_half_of_all_addresses_is_a_vpns_route():
    """OpenVPN and WireGuard override the default route like this."""
    table = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "vpn-lan\t00000000\t0101080A\t0003\t0\t0\t0\t00000080\t0\t0\t0\n"
        "vpn-lan\t00000080\t0101080A\t0003\t0\t0\t0\t00000080\t0\t0\t0\n"
    )
    assert routes._overriding(table) == {"vpn-lan"}


def test_this_machine_itself_is_no_way_out():
    """A stub resolver on loopback tells nothing of the line."""
    assert routes.check_routes(["127.0.0.1", "::1", "no address"], {}) == RouteCheck((None, None, None), "unknown")


def test_a_lab_is_not_looked_at():
    """Its dialer leads elsewhere."""
    assert routes.of_run(TEST_WATCH, MappedDialer()) == RouteCheck((), "unknown")


def test_everything_that_a_run_goes_to_is_looked_at():
    """The service, the control, the second path and the line's own resolver."""

    class Dialer(RealDialer):
        def system_resolver(self):
            return "192.0.2.53", 53

    expected = ("203.0.113.1", "203.0.113.9", "203.0.113.53", "192.0.2.53")
    assert routes.destinations(TEST_WATCH, Dialer()) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell no interface")
def test_the_kernels_answer_agrees_with_a_connected_socket():
    """Two ways of asking for our own address, and neither sends a packet."""
    address = routes.ipaddress.ip_address(routes.ELSEWHERE)
    asked, connected = rtnetlink._asked(address), routes._connected(address)
    assert (asked and asked.source) == (connected and connected.source)
    assert asked is None or asked.interface

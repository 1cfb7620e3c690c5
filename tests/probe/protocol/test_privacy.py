"""Text that identifies a volunteer is found, and facts about the service are left alone."""

from __future__ import annotations

import re
import socket

import pytest

from probe.place import own_names
from probe.protocol import privacy
from probe.protocol.measurement import DnsReply, Measurement, Step, Vantage


def measurement(step=None, **fields):
    """A measurement with one step."""
    step = {"op": "connect", "target": "dc1", "start_ms": 0.0, "end_ms": 1.0, **(step or {})}
    base = {
        "watch": "telegram-vn-2025",
        "watch_digest": "d" * 64,
        "run_id": "a" * 32,
        "surface": "app",
        "check": "telegram",
        "target": "telegram",
        "at_ms": 1,
        "duration_ms": 1.0,
        "vantage": Vantage(asn=7552, line="3f9c", access="mobile"),
        "software": "blockonset/0.1.0 (Linux)",
    }
    return Measurement(**base | fields, steps=(Step(**step),))


@pytest.mark.parametrize(
    "step",
    [
        {"address": "149.154.167.51:443"},
        {"address": "[2001:67c:4e8:f002::a]:443"},
        {"answers": ("10.10.34.34", "149.154.167.99"), "replies": (DnsReply(ms=1.0, rcode=0, answers=("::1",)),)},
        {"failure": "unknown_failure: MTProto transport error -404"},
        {"location": "http://203.0.113.9"},
        {"names": ("*.web.telegram.org", "web.telegram.org")},
        {"via": "GET /", "target": "web.telegram.org", "certificate": "ab" * 32},
    ],
)
def test_facts_about_the_service_pass(step):
    """Its addresses, resolvers' answers, where a block page is."""
    assert privacy.identifying(measurement(step)) is None


@pytest.mark.parametrize(
    ("step", "field"),
    [
        ({"address": "192.168.1.7:443"}, "address"),
        ({"address": "[fe80::1]:443"}, "address"),
        ({"address": "100.64.3.2:443"}, "address"),
        ({"address": "router.lan:443"}, "address"),
        ({"answers": ("my-laptop",)}, "answers"),
        ({"replies": (DnsReply(ms=1.0, rcode=0, answers=("someone@example.org",)),)}, "answers"),
        ({"failure": "unknown_failure: from 203.0.113.9"}, "failure"),
        ({"failure": "unknown_failure: fe80::1%eth0"}, "failure"),
        ({"failure": "unknown_failure: /home/someone/x"}, "failure"),
        ({"failure": r"unknown_failure: C:\Users\someone"}, "failure"),
        ({"target": "aa:bb:cc:dd:ee:ff"}, "target"),
        ({"via": "GET /?me=someone@example.org"}, "via"),
        ({"names": ("192.168.1.1",)}, "names"),
        ({"location": "http://aa-bb-cc-dd-ee-ff.example"}, "location"),
        ({"target": "x" * 256}, "target"),
    ],
)
def test_identifying_text_in_a_step_is_found(step, field):
    """The result names the field."""
    assert privacy.identifying(measurement(step)) == f"steps[0].{field}"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"internal": "KeyError at /home/someone/probe.py"}, "internal"),
        ({"software": "blockonset/0.1.0 (someone@laptop.example)"}, "software"),
        ({"vantage": Vantage(line="192.168.1.7")}, "vantage.line"),
        ({"vantage": Vantage(line_how="00:11:22:33:44:55")}, "vantage.line_how"),
    ],
)
def test_identifying_text_beside_the_steps_is_found_too(fields, field):
    """In the vantage most of all."""
    assert privacy.identifying(measurement(**fields)) == field


@pytest.mark.parametrize(
    "text",
    [
        "203.0.113.77",
        "ip-203-0-113-77.isp.example",
        "x CB00714D y",
        "77.113.0.203.in-addr.arpa",
        "3405803853",
        "2001:db8::77",
        "2001:0db8:0000:0000:0000:0000:0000:0077",
        "20010db8000000000000000000000077",
        "Volunteers-Laptop.local",
    ],
)
def test_the_machines_own_names_are_found_however_they_are_written(monkeypatch, text):
    """As text, as a number, in a host name, reversed."""
    addresses = {socket.AF_INET: "203.0.113.77", socket.AF_INET6: "2001:db8::77"}
    monkeypatch.setattr(own_names, "own_address", addresses.__getitem__)
    monkeypatch.setattr(socket, "gethostname", lambda: "volunteers-laptop")
    own = own_names.own_names()
    assert own.search(text)
    assert privacy.identifying(measurement({"location": f"http://{text}"}), own) == "steps[0].location"


def test_other_addresses_are_not_taken_for_the_machines_own(monkeypatch):
    """A longer number that contains it is another address."""
    monkeypatch.setattr(own_names, "own_address", lambda family: "203.0.113.7" if family == socket.AF_INET else "")
    monkeypatch.setattr(socket, "gethostname", lambda: "vm")
    own = own_names.own_names()
    for text in ("203.0.113.77", "1203.0.113.7", "vm", "some-vm"):
        assert not own.search(text)


def test_a_machine_without_address_and_name_has_no_own_names(monkeypatch):
    """Loopback and `localhost` identify nobody."""
    monkeypatch.setattr(own_names, "own_address", lambda family: "127.0.0.1" if family == socket.AF_INET else "")
    monkeypatch.setattr(socket, "gethostname", lambda: "localhost.localdomain")
    assert own_names.own_names() is None


def test_this_machines_address_is_found_without_sending_a_packet():
    """It is "" where there is none."""
    address = own_names.own_address(socket.AF_INET)
    assert address == "" or re.fullmatch(r"(\d+\.){3}\d+", address)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("connect to 203.0.113.9 failed", "connect to [scrubbed] failed"),
        ("fe80::1%eth0 down", "[scrubbed] down"),
        ("someone@example.org at aa:bb:cc:dd:ee:ff", "[scrubbed] at [scrubbed]"),
        ("no /home/someone/file", "no [scrubbed]"),
        ("OSError: [Errno 99] 12:30", "OSError: [Errno 99] 12:30"),
        ("line\nbreak", "line break"),
    ],
)
def test_addresses_and_paths_in_an_errors_text_are_replaced(raw, clean):
    """The rest stays readable."""
    assert privacy.scrub_text(raw) == clean


def test_an_errors_text_is_shortened():
    """64 characters at most."""
    assert len(privacy.scrub_text("x" * 1000)) == 64

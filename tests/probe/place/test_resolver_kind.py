"""Whose resolver a line uses."""

from __future__ import annotations

import msgspec
import pytest

from probe.base.clock import Clock
from probe.measure.context import Context
from probe.measure.run import measure
from probe.place import resolver_kind as resolvers
from probe.place.whoami import configured
from probe.protocol.measurement import Vantage
from probe.protocol.prefix_table import PrefixTable
from tests.support.honest_internet import CONTROL
from tests.support.servers import answer


@pytest.fixture
def table(tmp_path):
    """Two networks."""
    file = tmp_path / "prefixes.csv"
    file.write_text(
        "# date: 2026-05-01\nprefix,asn,country\n203.0.113.0/24,64500,ZZ\n198.51.100.0/24,64999,ZZ\n"
        "2001:db8:1::/48,64500,ZZ\n"
    )
    return PrefixTable.read(file)


@pytest.mark.parametrize(
    ("address", "line_asn", "kind"),
    [
        ("203.0.113.2", 64500, "provider"),
        ("2001:db8:1::53", 64500, "provider"),
        ("198.51.100.2", 64500, "other"),
        ("203.0.113.2", 0, "unknown"),
        ("192.0.2.2", 64500, "unknown"),
        ("192.168.1.1", 64500, "router"),
        ("100.64.0.1", 64500, "router"),
        ("fe80::1%eth0", 64500, "router"),
        ("1.1.1.3", 64500, "filter"),
        ("94.140.14.14", 0, "filter"),
        ("8.8.8.8", 64500, "other"),
        ("127.0.0.1", 64500, "unknown"),
        ("", 64500, "unknown"),
    ],
)
def test_a_resolver_is_the_providers_when_the_table_says_so(table, address, line_asn, kind):
    """Known filters and open resolvers by their address, all others by whose network they are in."""
    assert resolvers.kind(address, line_asn, table) == kind


def test_without_a_table_nobody_elses_resolver_is_taken_for_the_providers():
    """It is not known."""
    assert resolvers.kind("203.0.113.2", 64500) == "unknown"


def test_a_stub_tells_whom_it_asks(tmp_path, monkeypatch):
    """systemd-resolved listens on loopback and writes down the real one."""
    file = tmp_path / "resolv.conf"
    monkeypatch.setattr(resolvers, "_STUB_OF", file)
    assert resolvers.kind("127.0.0.53", 0) == "unknown"
    file.write_text("# comment\nnameserver 9.9.9.9\nsearch lan\n")
    assert resolvers.kind("127.0.0.53", 0) == "filter"


CANARY = "canary.example"


@pytest.mark.parametrize(
    ("replies", "filters"),
    [
        (lambda q: answer(q, "192.0.2.7"), False),
        (lambda q: answer(q, rcode=3), True),
        (answer, True),
        (lambda q: answer(q, "0.0.0.0"), True),
        (None, False),
    ],
)
async def test_a_resolver_that_denies_the_canary_filters_for_its_users(town, network, replies, filters):
    """One that is silent says nothing about it."""
    town.names[CANARY] = ("192.0.2.7",)
    honest = town.honest
    town.system = lambda q: honest(q) if town.asked(q) != CANARY else [(0.0, replies(q))] if replies else []
    control = msgspec.structs.replace(town.watch.control, canary=CANARY)
    watch = msgspec.structs.replace(town.watch, control=control)
    assert await resolvers.filtering(Context(watch, network, Clock())) is filters
    if filters:
        run = await measure(watch, network, configured(Vantage()))
        assert {m.vantage.resolver for m in run} == {"filter"}
        assert not any(s.failure for m in run for s in m.steps if s.target == CONTROL)


async def test_without_a_canary_nothing_is_asked(town, network):
    """The watch says what may be."""
    town.system = lambda q: pytest.fail("asked")
    assert not await resolvers.filtering(Context(town.watch, network, Clock()))

"""Who runs the resolver that a line uses."""

from __future__ import annotations

import pytest

from probe.place import resolver_kind
from probe.protocol.prefix_table import PrefixTable


@pytest.fixture
def table(tmp_path):
    """A prefix table with two networks."""
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
def test_a_resolver_is_classified_by_lists_and_the_table(table, address, line_asn, kind):
    """Known filters and open resolvers by their address, all others by the network of the address."""
    assert resolver_kind.kind(address, line_asn, table) == kind


def test_without_a_table_no_resolver_counts_as_the_providers():
    """Its network is not known."""
    assert resolver_kind.kind("203.0.113.2", 64500) == "unknown"


def test_a_stub_resolver_is_classified_by_its_upstream(tmp_path, monkeypatch):
    """systemd-resolved listens on loopback and lists the real resolvers in a file."""
    file = tmp_path / "resolv.conf"
    monkeypatch.setattr(resolver_kind, "_STUB_OF", file)
    assert resolver_kind.kind("127.0.0.53", 0) == "unknown"
    file.write_text("# comment\nnameserver 9.9.9.9\nsearch lan\n")
    assert resolver_kind.kind("127.0.0.53", 0) == "filter"

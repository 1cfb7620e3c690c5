"""The operator's prefix table."""

import datetime as dt
import sys

import pytest

from probe.base.errors import UserError
from probe.protocol import prefix_table
from probe.protocol.prefix_table import Origin, PrefixTable
from tests.support.maxmind import mmdb

HEAD = "# date: 2026-05-01\nprefix,asn,country\n"


@pytest.fixture
def table(tmp_path):
    """A function that writes a table's file from the lines after its head, and reads it."""

    def read(lines, head=HEAD):
        file = tmp_path / "prefixes.csv"
        file.write_text(head + lines)
        return PrefixTable.read(file)

    return read


def test_the_longest_prefix_wins(table):
    """Of all prefixes that contain an address the most specific one counts, whatever their order."""
    found = table("203.0.113.128/25,64502,XO\n203.0.0.0/16,64500,XA\n203.0.113.0/24,64501,XB\n")
    assert found.find("203.0.113.200") == Origin(64502, "XO")
    assert found.find("203.0.113.127") == Origin(64501, "XB")
    assert found.find("203.0.1.1") == Origin(64500, "XA")
    assert found.find("198.51.100.1") is None


def test_ipv4_and_ipv6_prefixes_are_separate(table):
    """An IPv4-mapped IPv6 address is looked up as an IPv4 address."""
    found = table("2001:db8::/32,64510,XO\n0.0.0.0/0,64511,XA\n")
    assert found.find("2001:db8::1") == Origin(64510, "XO")
    assert found.find("::ffff:192.0.2.1") == Origin(64511, "XA")
    assert found.find("2001:db9::1") is None


@pytest.mark.parametrize(
    ("head", "lines", "message"),
    [
        ("prefix,asn,country\n", "", "line 1: must say when"),
        ("# date: May\nprefix,asn,country\n", "", "line 1: must say when"),
        ("# date: 2026-05-01\nasn,prefix\n", "", "line 2: the columns"),
        (HEAD, "203.0.113.0/24,64500,XO\n203.0.113.1/24,64500,XO\n", "line 4: not a prefix"),
        (HEAD, "203.0.113.0/24,AS64500,XO\n", "line 3: not a prefix"),
        (HEAD, "203.0.113.0/24,0,XO\n", "line 3: 0 is not an AS number"),
        (HEAD, "203.0.113.0/24\n", "line 3: not a prefix"),
    ],
)
def test_a_wrong_table_is_refused_by_line(table, head, lines, message):
    """The message names the file and the line."""
    with pytest.raises(UserError, match=message) as refused:
        table(lines, head)
    assert "prefixes.csv" in str(refused.value)


def test_a_missing_table_is_refused_by_name(tmp_path):
    """The message names the file."""
    with pytest.raises(UserError, match=r"nothing\.csv"):
        PrefixTable.read(tmp_path / "nothing.csv")


def test_a_maxmind_database_is_read(tmp_path):
    """It is recognized by the file's ending; its date is that of its build."""
    pytest.importorskip("maxminddb")
    file = tmp_path / "asn.mmdb"
    file.write_bytes(mmdb(0xCB007100, 24, {"autonomous_system_number": 64500, "autonomous_system_organization": "Z"}))
    table = prefix_table.read(file)
    assert table.find("203.0.113.9") == Origin(64500, "")
    assert table.find("198.51.100.1") is None
    assert table.date == dt.datetime.fromtimestamp(1_780_000_000, dt.UTC).date()
    with pytest.raises(ValueError):
        table.find("not an address")


def test_a_damaged_database_is_refused(tmp_path):
    """The message names the file."""
    pytest.importorskip("maxminddb")
    (tmp_path / "asn.mmdb").write_bytes(b"no database")
    with pytest.raises(UserError, match=r"asn\.mmdb"):
        prefix_table.read(tmp_path / "asn.mmdb")


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    """The base install has no reader for MaxMind databases."""
    monkeypatch.setitem(sys.modules, "maxminddb", None)
    with pytest.raises(UserError, match=r"blockonset\[table\]"):
        prefix_table.read(tmp_path / "asn.mmdb")

"""The operator's prefix table."""

import pytest

from aggregator.prefixes import Network, PrefixTable
from probe.errors import UserError

HEAD = "# date: 2026-05-01\nprefix,asn,country\n"


@pytest.fixture
def table(tmp_path):
    """Reads a table from its lines after the head."""

    def read(lines, head=HEAD):
        file = tmp_path / "prefixes.csv"
        file.write_text(head + lines)
        return PrefixTable.read(file)

    return read


def test_the_longest_prefix_wins(table):
    """Of all prefixes around an address the most specific one says whose it is, whatever their order."""
    found = table("203.0.113.128/25,64502,XO\n203.0.0.0/16,64500,XA\n203.0.113.0/24,64501,XB\n")
    assert found.find("203.0.113.200") == Network(64502, "XO")
    assert found.find("203.0.113.127") == Network(64501, "XB")
    assert found.find("203.0.1.1") == Network(64500, "XA")
    assert found.find("198.51.100.1") is None


def test_both_versions_are_found_and_kept_apart(table):
    """IPv6 has prefixes of its own; an IPv4 address in IPv6 clothes is an IPv4 address."""
    found = table("2001:db8::/32,64510,XO\n0.0.0.0/0,64511,XA\n")
    assert found.find("2001:db8::1") == Network(64510, "XO")
    assert found.find("::ffff:192.0.2.1") == Network(64511, "XA")
    assert found.find("2001:db9::1") is None


@pytest.mark.parametrize(
    ("head", "lines", "says"),
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
def test_a_wrong_table_is_refused_by_line(table, head, lines, says):
    """What is wrong is named by file and line."""
    with pytest.raises(UserError, match=says) as refused:
        table(lines, head)
    assert "prefixes.csv" in str(refused.value)


def test_a_missing_table_is_refused_by_name(tmp_path):
    """A file that isn't there is named."""
    with pytest.raises(UserError, match=r"nothing\.csv"):
        PrefixTable.read(tmp_path / "nothing.csv")

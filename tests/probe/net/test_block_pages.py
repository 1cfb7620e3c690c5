"""Block pages are recognized by a data file in the format of the public lists."""

from __future__ import annotations

import pytest

from probe.base.errors import UserError
from probe.net import block_pages

HEAD = "name,scope,location_found,pattern_type,pattern,other\n"


@pytest.fixture
def read(tmp_path):
    """A function that writes rows to a file and reads them."""

    def rows(*lines, head=HEAD):
        file = tmp_path / "list.csv"
        file.write_text(head + "\n".join(lines) + "\n")
        block_pages.read.cache_clear()
        return block_pages.read(file)

    return rows


def page(body=b"", **headers):
    """The headers and the body of an answer."""
    return headers, body


@pytest.mark.parametrize(
    ("row", "answer", "matches"),
    [
        ("a,nat,body,contains,blocked here", page(b"is blocked here."), True),
        ("a,nat,body,contains,blocked here", page(b"is blocked there."), False),
        ("a,nat,body,prefix,<html><b>", page(b"<html><b>x"), True),
        ("a,nat,body,prefix,<b>", page(b"<html><b>x"), False),
        ("a,nat,body,full,gone", page(b"gone"), True),
        ("a,nat,body,full,gone", page(b"gone!"), False),
        ("a,nat,body,regexp,b.o\\w+ed", page(b"line\nbloooocked"), True),
        ("a,nat,header.server,prefix,Filter", page(server="FilterBox 3"), True),
        ("a,nat,header.location,contains,/block", page(location="http://x/block?u=1"), True),
        ("a,nat,header.location,contains,/block", page(b"/block"), False),
        (
            "a,nat,body,contains,\u0111\u00e3 b\u1ecb ch\u1eb7n",
            page("site \u0111\u00e3 b\u1ecb ch\u1eb7n".encode()),
            True,
        ),
    ],
)
def test_a_pattern_is_searched_in_its_location(read, row, answer, matches):
    """In the body or in one header, in one of four ways."""
    assert block_pages.match(*answer, read(row)) == ("a" if matches else "")


def test_no_row_counts_when_a_harmless_one_matches(read):
    """Harmless rows have scope `fp`."""
    rows = read("a,nat,body,contains,blocked", "ok,fp,body,contains,this is a blog about blocking")
    assert block_pages.match(*page(b"blocked"), rows) == "a"
    assert block_pages.match(*page(b"blocked? this is a blog about blocking"), rows) == ""


def test_rows_for_dns_are_ignored(read):
    """They don't describe a page."""
    assert [f.name for f in read("a,nat,dns,full,10.10.34.34", "b,nat,body,contains,x")] == ["b"]


@pytest.mark.parametrize(
    ("lines", "head", "message"),
    [
        (
            ["a,nat,body,glob,x"],
            HEAD,
            r"list\.csv:2: pattern_type 'glob' must be one of full, prefix, contains, regexp",
        ),
        (["a,nat,body,contains,x", "b,nat,body,regexp,("], HEAD, r"list\.csv:3: pattern is not a regular expression"),
        ([",nat,body,contains,x"], HEAD, r"list\.csv:2: name and pattern must not be empty"),
        (["a"], "name,scope\n", r"list\.csv: column 'location_found' is missing"),
    ],
)
def test_a_bad_row_is_named(read, lines, head, message):
    """By file, line and column."""
    with pytest.raises(UserError, match=message):
        read(*lines, head=head)


def test_a_missing_file_is_named(tmp_path):
    """Before anything is measured."""
    with pytest.raises(UserError, match=r"none\.csv"):
        block_pages.read(tmp_path / "none.csv")


def test_the_shipped_list_reads():
    """It has rows, and none for the lab's own page."""
    names = [f.name for f in block_pages.read()]
    assert "blockonset.status_451_link" in names
    assert "blockonset.lab_order" not in names

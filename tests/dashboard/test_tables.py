"""Tables as HTML, and times for people."""

import datetime as dt
import zoneinfo

import pytest

from dashboard import times
from dashboard.tables import TableCell, TableRow, table


def test_everything_is_escaped():
    """A provider's name is text, whatever stands in it."""
    evil = '<script>"&'
    html = table(
        {"a": evil}, [TableRow({"a": TableCell(text=evil, below=evil, href=f"?x={evil}")}, {"name": evil})], evil
    )
    assert "<script" not in html
    assert html.count("&lt;script&gt;&quot;&amp;") >= 6


def test_rows_can_be_read_by_programs():
    """Each row carries its data, and each cell its column's title for narrow screens."""
    html = table(
        {"a": "Since", "b": "p"}, [TableRow({"a": TableCell(text="now")}, {"provider": "x", "onset": "t"})], "All"
    )
    assert '<tr data-provider="x" data-onset="t">' in html
    assert 'data-label="Since"' in html
    assert "<caption>All</caption>" in html


def _interval(earliest, latest):
    return {"earliest": earliest, "latest": latest, "estimate": latest, "level": 0.95}


@pytest.mark.parametrize(
    ("interval", "ends"),
    [
        (("2026-05-01T10:00:23.300Z", "2026-05-01T10:00:25.900Z"), ("10:00:23", "10:00:25")),
        (("2026-05-01T09:00:00.000Z", "2026-05-01T10:00:00.000Z"), ("09:00", "10:00")),
        (("2026-04-30T23:00:00.000Z", "2026-05-01T10:00:00.000Z"), ("30 Apr 23:00", "1 May 10:00")),
        ((None, "2026-05-01T10:00:25.900Z"), ("", "10:00:25")),
    ],
)
def test_an_interval_s_ends_have_the_digits_it_supports(interval, ends):
    """Seconds where it is short, days where it spans two, no start where it has none."""
    assert times.ends(_interval(*interval)) == ends


@pytest.mark.parametrize(
    ("zone", "name"),
    [("Etc/GMT-4", "UTC+4"), ("Asia/Kolkata", "UTC+5:30"), ("America/St_Johns", "UTC-2:30"), ("UTC", "UTC")],
)
def test_a_zone_is_named_by_its_offset(zone, name):
    """As it is on that day, half hours and summer time included."""
    assert times.zone_name(zoneinfo.ZoneInfo(zone), dt.datetime(2026, 7, 1, tzinfo=dt.UTC)) == name


def test_times_go_to_the_api_as_they_came():
    """Nothing is lost on the way there and back."""
    assert times.text(times.ms("2026-05-01T10:00:23.007Z")) == "2026-05-01T10:00:23.007Z"


@pytest.mark.parametrize(("p", "says"), [(0.9999, "> 0.99"), (0.97, "0.97"), (0.002, "< 0.01")])
def test_certainty_is_never_printed(p, says):
    """No more nines than two digits hold."""
    assert times.chance(p) == says

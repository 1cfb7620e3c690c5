"""Watches are read or refused, and say what may be contacted and which provider a network belonged to."""

import datetime as dt
from pathlib import Path

import pytest

from probe.protocol import watch_file
from probe.protocol.keys import Key
from probe.protocol.watch import DirectiveDate
from probe.protocol.watch_file import WatchError

FOLDER = Path(__file__).parents[3] / "infra" / "watches"
SHIPPED = sorted(FOLDER.glob("*.toml"))
TEXT = (FOLDER / "telegram-vn-2025.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_every_shipped_watch_reads(path):
    """Every shipped watch is valid, and its file is named after its id."""
    watch = watch_file.read(path.read_bytes(), str(path))
    assert watch.id == path.stem
    assert watch.directive.sources
    assert not watch.fictional


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("cadence_s = 600", "cadence_s = -1", "cadence_s"),
        ("cadence_s = 600", 'cadence_s = "600"', "cadence_s"),
        ("cadence_s = 600", "cadance_s = 600", "cadance_s"),
        ("timeout_s = 10", "timeout_s = 601", "timeout_s: is longer"),
        ('timezone = "Asia/Ho_Chi_Minh"\nexpires', 'timezone = "Asia/Saigonn"\nexpires', "Asia/Saigonn"),
        ('expires = "2027-06-30"', 'expires = "soon"', "expires: 'soon'"),
        ('value = "2025-05-21"', 'value = "2025-05-41"', r"directive.dates\[0\].value"),
        ('value = "2025-05-21"', 'value = "2025-05-21T10:00"', r"directive.dates\[0\].value"),
        ('kind = "issued"', 'kind = "whispered"', "whispered"),
        ('id = "fpt-fixed"', 'id = "vnpt-fixed"', "'vnpt-fixed' is given twice"),
        ('id = "fpt-fixed"', 'id = "FPT fixed"', "id"),
        ("asn = 18403", "asn = 0", "fpt-fixed, networks"),
        ('address = "149.154.175.53"', 'address = "149.154.175.530"', "149.154.175.530"),
        ('ports = [80, 443, 5222] },\n  { id = "dc2"', 'ports = [0] },\n  { id = "dc2"', "dc1: ports"),
        ("cadence_s = 600", "cadence_s = 600\nsweep_s = 0", "sweep_s"),
        ("[control]", '[control]\ntransfer = "/big"', "surfaces.web.transfer: is missing"),
        ("[surfaces.web]", '[surfaces.web]\ntransfer = "/big"', "control.transfer: is missing"),
        ("[control]", '[control]\ntransfer = "/a b"', "control.transfer: '/a b' is not a path"),
        ('address6 = "2001:b28:f23d:f001::a"', 'address6 = "198.51.100.1"', "dc1, address6"),
        ("format = 1", "format = 2", "format"),
        ("format = 1", "format = ", "not a TOML file"),
    ],
)  # fmt: skip
def test_a_bad_watch_is_refused_by_file_and_key(old, new, message):
    """The message names the file and what in it is wrong."""
    assert old in TEXT
    with pytest.raises(WatchError, match=message) as refused:
        watch_file.read(TEXT.replace(old, new, 1).encode(), "here.toml")
    assert str(refused.value).startswith("here.toml: ")


def test_a_day_means_all_of_its_instants_in_its_zone():
    """2 June in UTC+7 begins at 17:00 UTC the day before; the bound decides which end is the limit."""
    day = {"kind": "report_by", "value": "2025-06-02", "precision": "day", "timezone": "Asia/Ho_Chi_Minh"}
    start, end = (dt.datetime(2025, 6, d, 17, tzinfo=dt.UTC) for d in (1, 2))
    assert DirectiveDate(**day).span() == (start, end)
    assert DirectiveDate(**day, bound="inclusive").limit() == end
    assert DirectiveDate(**day, bound="exclusive").limit() == start


def test_a_day_with_a_clock_change_has_its_own_length():
    """The day ends when the next one begins, not 24 hours later."""
    day = DirectiveDate(kind="issued", value="2025-03-30", precision="day", timezone="Europe/Berlin")
    start, end = day.span()
    assert end - start == dt.timedelta(hours=23)


@pytest.mark.parametrize(
    ("asn", "access", "provider"),
    [
        (45899, "fixed", "vnpt-fixed"),
        (45899, "mobile", "vinaphone-mobile"),
        (45899, "unknown", ""),
        (18403, "unknown", "fpt-fixed"),
        (18403, "mobile", ""),
        (64512, "fixed", ""),
        (0, "unknown", ""),
    ],
)
def test_a_network_belongs_to_one_provider_or_to_none(asn, access, provider):
    """Unknown access matches only when one provider alone has the ASN."""
    watch = watch_file.read(TEXT.encode(), "here.toml")
    assert watch.provider_of(asn, access, 1_750_000_000_000) == provider


def test_a_network_belongs_to_a_provider_only_between_its_dates():
    """Both dates are included."""
    dated = TEXT.replace("{ asn = 18403 }", '{ asn = 18403, since = "2025-01-10", until = "2025-01-20" }')
    watch = watch_file.read(dated.encode(), "here.toml")
    day = 86_400_000
    first = round(dt.datetime(2025, 1, 10, tzinfo=dt.UTC).timestamp() * 1000)
    found = [watch.provider_of(18403, "fixed", first + d * day) for d in (-1, 0, 10, 11)]
    assert found == ["", "fpt-fixed", "fpt-fixed", ""]


def test_only_what_is_listed_may_be_contacted():
    """An endpoint on its ports, the second resolver, and nothing else."""
    watch = watch_file.read(TEXT.encode(), "here.toml")
    assert watch.allows("149.154.167.51", 443)
    assert watch.allows("2001:67c:4e8:f002::a", 5222)
    assert not watch.allows("149.154.167.51", 22)
    assert watch.allows("9.9.9.9", 53)
    assert not watch.allows("9.9.9.9", 443)
    assert not watch.allows("192.0.2.1", 443)


def test_a_signed_watch_opens_only_under_the_trusted_key_and_before_it_expires():
    """Another operator's signature, a changed byte and an old date are each refused."""
    operator, other = Key.create("operator"), Key.create("operator")
    raw = watch_file.sign(TEXT.encode(), operator)
    today = dt.date(2026, 1, 1)
    assert watch_file.open_signed(raw, operator.id, "w", today) == watch_file.read(TEXT.encode(), "w")
    with pytest.raises(WatchError, match="not by the operator"):
        watch_file.open_signed(raw, other.id, "w", today)
    with pytest.raises(WatchError, match="signature"):
        watch_file.open_signed(raw.replace(b"149.154.175.53", b"149.154.175.54"), operator.id, "w", today)
    with pytest.raises(WatchError, match="expired on 2027-06-30"):
        watch_file.open_signed(raw, operator.id, "w", dt.date(2027, 7, 1))
    with pytest.raises(WatchError, match="not a signed watch"):
        watch_file.open_signed(TEXT.encode(), operator.id, "w", today)

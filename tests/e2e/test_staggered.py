"""The lab's staggered country, where providers begin to block one by one: the answers are compared with the truth."""

import datetime as dt
import json

import pytest

from tests.support.stack import Up

CADENCE_S = 2.0


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The JSON document that `blockonset up --lab staggered --for 150 --json` prints."""
    one = Up(tmp_path_factory.mktemp("staggered") / "data", "--lab", "staggered", "--for", "150", "--json")
    try:
        yield json.loads(one.finish(280))
    finally:
        one.close()


def seconds(text):
    """RFC 3339 as seconds since the epoch."""
    return dt.datetime.fromisoformat(text).timestamp()


def outside(provider):
    """How many seconds the true onset is outside the interval; infinite without an interval."""
    onset = provider["answer"]["onset"]
    if onset is None:
        return float("inf")
    true = seconds(provider["truth"]["onset"])
    early = seconds(onset["earliest"]) - true if onset["earliest"] else 0.0
    return max(early, true - seconds(onset["latest"]), 0.0)


@pytest.mark.timeout(330)
def test_document_has_the_promised_shape(report):
    """Scripts depend on the keys of the JSON document."""
    assert report["watch"] == "lab-staggered"
    assert report["cadence_s"] == CADENCE_S
    assert len(report["providers"]) == 12
    for p in report["providers"]:
        assert set(p["truth"]) == {"blocked", "onset", "lift", "method"}
        assert set(p["answer"]) == {
            "state", "surface", "onset", "lift", "method", "p_block", "measurements", "probes",
        }  # fmt: skip
        assert p["answer"]["measurements"] > 50
    assert report["api"].startswith("http://127.0.0.1:")
    assert report["dashboard"].startswith("http://127.0.0.1:")


@pytest.mark.timeout(330)
def test_onsets_hold_the_truth(report):
    """For at least eight of nine that block, the interval contains the truth or misses it by less than a cadence."""
    blocked = [p for p in report["providers"] if p["truth"]["blocked"]]
    assert len(blocked) == 9
    misses = {p["provider"]: outside(p) for p in blocked if outside(p) >= CADENCE_S}
    assert len(misses) <= 1, misses


@pytest.mark.timeout(330)
def test_nobody_is_accused_wrongly(report):
    """The providers that never block, with the flaky line and the outage, have no onset."""
    others = [p for p in report["providers"] if not p["truth"]["blocked"]]
    assert len(others) == 3
    assert [p["provider"] for p in others if p["answer"]["onset"]] == []


@pytest.mark.timeout(330)
def test_methods_are_right(report):
    """The method is right for at least eight of nine."""
    blocked = [p for p in report["providers"] if p["truth"]["blocked"]]
    wrong = {
        p["provider"]: (p["truth"]["method"], p["answer"]["method"])
        for p in blocked
        if p["truth"]["method"] != p["answer"]["method"]
    }
    assert len(wrong) <= 1, wrong


@pytest.mark.timeout(330)
def test_the_lift_is_seen(report):
    """The provider that stopped blocking is `lifted`, with the lift near the truth."""
    lifted = [p for p in report["providers"] if p["truth"]["lift"]]
    assert [p["answer"]["state"] for p in lifted] == ["lifted"]
    assert all(
        abs(seconds(p["answer"]["lift"]["estimate"]) - seconds(p["truth"]["lift"])) < 3 * CADENCE_S for p in lifted
    )


@pytest.mark.timeout(330)
def test_nothing_is_lost(report):
    """Sealed = stored + rejected + spooled, and nothing is rejected."""
    c = report["custody"]
    assert c["sealed"] > 5000
    assert c["sealed"] == c["stored"] + c["rejected"] + c["spooled"]
    assert c["rejected"] == 0

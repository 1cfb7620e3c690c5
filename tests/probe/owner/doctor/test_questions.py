"""The questions of `doctor` about the clock and the network."""

from __future__ import annotations

from pathlib import Path

import msgspec

from probe.base.clock import now_ms
from probe.home import notebook, texts
from probe.home.config import VantageConfig
from probe.owner import ask_network
from probe.owner.doctor import questions, report
from probe.place import this_network
from probe.place.this_network import NetworkState
from tests.support.owned_probe import HOME, probe_config, public_api, watch_of

EN = texts.load("en")


def test_the_clock_is_compared_with_receipts_or_the_api_or_reported_as_unknown(tmp_path, monkeypatch):
    """A clock that was never compared is not reported as right."""
    settings = probe_config(tmp_path)
    found = questions.clock(settings)
    assert (found.mark, found.says) == ("note", "clock_never")
    notebook.Notebook(Path(settings.data)).note(clock_offset_ms=7_200_000, clock_compared_ms=now_ms())
    assert (questions.clock(settings).mark, questions.clock(settings).values["seconds"]) == ("bad", "7200.0")
    with public_api({"providers": []}) as (url, _):
        settings = msgspec.structs.replace(settings, api=url)
        about, offset_ms = questions.api(settings, watch_of(settings))
        assert (about.mark, abs(offset_ms) < 5000) == ("ok", True)
        assert questions.clock(settings, offset_ms).mark != "bad"
        monkeypatch.setattr(questions, "now_ms", lambda: now_ms() + 3_600_000)
        _, offset_ms = questions.api(settings, watch_of(settings))
    line = report._line(EN, questions.clock(settings, offset_ms))
    assert line.mark == "bad"
    assert "according to the operator's API" in line.says
    assert line.fix


def test_doctor_reports_what_is_known_of_the_network_and_its_number(tmp_path, monkeypatch):
    """The network is new, answered or unidentifiable; the number is configured, seen or unknown."""
    settings = probe_config(tmp_path, vantage=VantageConfig())
    monkeypatch.setattr(this_network, "current_network", lambda: HOME)

    def says(settings=settings):
        found = [questions.network_kind(settings), questions.network_number(settings)]
        lines = [report._line(EN, f) for f in found]
        assert all(ln.fix for ln in lines if ln.mark == "bad")
        return [(ln.mark, ln.says.split(":")[0]) for ln in lines]

    assert says() == [
        ("note", "you have not said what kind of network this is"),
        ("bad", "the network's number is not known"),
    ]
    ask_network.known_networks(Path(settings.data)).remember(HOME, ask_network.declared("unknown", "unknown"))
    assert says()[0] == ("ok", "unknown, unknown")
    ask_network.known_networks(Path(settings.data)).remember(HOME, ask_network.declared("fixed", "work"))
    notebook.Notebook(Path(settings.data)).note(asn=64500)
    assert says() == [("ok", "fixed, work"), ("ok", "AS64500 (as the last run saw it)")]
    monkeypatch.setattr(this_network, "current_network", NetworkState)
    assert says()[0] == (
        "note",
        "this machine can't tell networks apart; what the configuration says applies to all of them",
    )
    said = VantageConfig(asn=64501, access="mobile", line_kind="hotspot")
    assert says(msgspec.structs.replace(settings, vantage=said)) == [
        ("ok", "mobile, hotspot"),
        ("ok", "AS64501 (by the configuration)"),
    ]

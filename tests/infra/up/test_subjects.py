"""Who runs a real watch on a machine of their own is told what a volunteer is told, and agrees or nothing starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.up.lab_subject import LabSubject
from infra.up.watch_subject import WatchSubject
from probe.base.errors import UserError
from probe.home import consent, texts

WATCH = Path(__file__).parents[3] / "infra" / "watches" / "telegram-vn-2025.toml"
EN = texts.load("en")


@pytest.fixture(autouse=True)
def english(monkeypatch):
    """The language of this test, and nobody at a terminal."""
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    monkeypatch.setattr(consent, "at_terminal", lambda: None)


def test_without_a_terminal_it_refuses_and_names_the_flag(tmp_path):
    """The text was shown, and nothing was made."""
    said = []
    with pytest.raises(UserError, match=f"--accept-risk {EN.version}"):
        WatchSubject(WATCH).agree(tmp_path / "data", "", said.append)
    assert "What your network operator can see" in said[0]
    assert "connects to telegram" in said[0]
    assert not (tmp_path / "data").exists()
    with pytest.raises(UserError, match="not the version"):
        WatchSubject(WATCH).agree(tmp_path / "data", "operator", said.append)


def test_who_has_agreed_is_not_asked_again_until_the_text_changes(tmp_path):
    """The record lies with the probe, which refuses to run without it."""
    subject, said = WatchSubject(WATCH), []
    subject.agree(tmp_path, EN.version, said.append)
    assert consent.read(tmp_path / "probe") is None
    subject.prepare(tmp_path)
    consent.require(tmp_path / "probe", "", EN)
    again = WatchSubject(WATCH)
    before = len(said)
    again.agree(tmp_path, "", said.append)
    assert len(said) == before
    again.prepare(tmp_path)
    consent.require(tmp_path / "probe", "", EN)


def test_a_person_types_the_words(tmp_path, monkeypatch):
    """As in `setup`."""
    monkeypatch.setattr(consent, "at_terminal", lambda: lambda _: "no")
    with pytest.raises(UserError):
        WatchSubject(WATCH).agree(tmp_path, "", lambda _: None)
    monkeypatch.setattr(consent, "at_terminal", lambda: lambda _: "I agree")
    WatchSubject(WATCH).agree(tmp_path, "", lambda _: None)


def test_an_invented_country_asks_nobody(tmp_path):
    """It contacts nobody."""
    said = []
    LabSubject("staggered", 0).agree(tmp_path, "", said.append)
    invented = tmp_path / "invented.toml"
    invented.write_text(WATCH.read_text(encoding="utf-8").replace("format = 1", "format = 1\nfictional = true", 1))
    WatchSubject(invented).agree(tmp_path, "", said.append)
    assert said == []

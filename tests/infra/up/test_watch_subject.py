"""Whoever runs a real watch must agree to the volunteers' consent text; otherwise nothing starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.up.watch_subject import WatchSubject
from probe.base.errors import UserError
from probe.home import consent, texts

WATCH = Path(__file__).parents[3] / "infra" / "watches" / "telegram-vn-2025.toml"
EN = texts.load("en")


@pytest.fixture(autouse=True)
def english(monkeypatch):
    """English texts, and no terminal to ask at."""
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    monkeypatch.setattr(consent, "at_terminal", lambda: None)


def test_without_a_terminal_it_refuses_and_names_the_flag(tmp_path):
    """The text is shown, and nothing is created."""
    shown = []
    with pytest.raises(UserError, match=f"--accept-risk {EN.version}"):
        WatchSubject(WATCH).agree(tmp_path / "data", "", shown.append)
    assert "What your network operator can see" in shown[0]
    assert "connects to telegram" in shown[0]
    assert not (tmp_path / "data").exists()
    with pytest.raises(UserError, match="not the version"):
        WatchSubject(WATCH).agree(tmp_path / "data", "operator", shown.append)


def test_who_has_agreed_is_not_asked_again_until_the_text_changes(tmp_path):
    """The consent is stored in the probe's home, and the probe refuses to run without it."""
    subject, shown = WatchSubject(WATCH), []
    subject.agree(tmp_path, EN.version, shown.append)
    assert consent.read(tmp_path / "probe") is None
    subject.prepare(tmp_path)
    consent.require(tmp_path / "probe", "", EN)
    again = WatchSubject(WATCH)
    before = len(shown)
    again.agree(tmp_path, "", shown.append)
    assert len(shown) == before
    again.prepare(tmp_path)
    consent.require(tmp_path / "probe", "", EN)


def test_a_person_types_the_words(tmp_path, monkeypatch):
    """Consent is asked for at the terminal, as in `setup`."""
    monkeypatch.setattr(consent, "at_terminal", lambda: lambda _: "no")
    with pytest.raises(UserError):
        WatchSubject(WATCH).agree(tmp_path, "", lambda _: None)
    monkeypatch.setattr(consent, "at_terminal", lambda: lambda _: "I agree")
    WatchSubject(WATCH).agree(tmp_path, "", lambda _: None)


def test_a_fictional_watch_needs_no_consent(tmp_path):
    """A watch file marked as fictional contacts nobody."""
    shown = []
    invented = tmp_path / "invented.toml"
    invented.write_text(WATCH.read_text(encoding="utf-8").replace("format = 1", "format = 1\nfictional = true", 1))
    WatchSubject(invented).agree(tmp_path, "", shown.append)
    assert shown == []

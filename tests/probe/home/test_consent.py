"""Consent is given to one version of the text, and asked for again when it changes."""

from __future__ import annotations

import pytest

from probe.base.errors import UserError
from probe.home import consent, files, texts

EN = texts.load("en")


def test_a_person_types_the_words_and_anything_else_is_a_no():
    """Exactly these words, in any case."""
    assert consent.ask(EN, "", lambda _: " i AGREE ").how == "typed"
    for said in ("yes", "y", "", "I agree to nothing"):
        with pytest.raises(UserError, match="Nothing was installed"):
            consent.ask(EN, "", lambda _, said=said: said)


def test_a_changed_text_is_asked_about_again(tmp_path, monkeypatch):
    """A record of another text is no consent; neither is a damaged record."""
    with pytest.raises(UserError, match="Nobody has agreed"):
        consent.require(tmp_path, "", EN)
    consent.save(tmp_path, consent.ask(EN, EN.version, None))
    consent.require(tmp_path, "", EN)
    real = texts._read
    monkeypatch.setattr(
        texts, "_read", lambda lang: (t := real(lang)) | {"consent": t["consent"] | {"text": "something else"}}
    )
    with pytest.raises(UserError, match="has changed"):
        consent.require(tmp_path, "", texts.load("en"))
    consent.require(tmp_path, texts.load("en").version, EN)
    (tmp_path / files.CONSENT).write_text("{")
    with pytest.raises(UserError, match="remove it"):
        consent.require(tmp_path, "", EN)

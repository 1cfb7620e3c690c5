"""The texts in each language."""

from __future__ import annotations

import string

import pytest

from probe.home import texts

EN, VI = texts.load("en"), texts.load("vi")


@pytest.mark.parametrize("language", ["en", "vi"])
def test_every_text_can_be_filled_in_and_translations_have_the_same_placeholders(language):
    """No text is missing in the English file, and no translation asks for a value that isn't given."""

    def placeholders(text):
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for section, entries in texts.load(language).texts.items():
        for key, text in entries.items():
            assert key in EN.texts[section], (section, key)
            assert placeholders(text) <= placeholders(EN.texts[section][key]), (section, key)


def test_the_language_follows_the_environment_and_falls_back(monkeypatch):
    """vi_VN.UTF-8 is Vietnamese; an unknown one is English. The translation is marked as not reviewed."""
    monkeypatch.setenv("LC_ALL", "vi_VN.UTF-8")
    assert texts.load().language == "vi"
    assert texts.load("xx").language == "en"
    assert VI.texts["about"]["reviewed"] == "no"
    assert VI.version != EN.version

"""The texts of the pages."""

import re
from pathlib import Path

import dashboard
from dashboard import texts
from dashboard.palette import LIGHT

SOURCE = "".join(f.read_text(encoding="utf-8") for f in Path(dashboard.__path__[0]).rglob("*.py"))
USED = set(re.findall(r'\btext\(\s*"(\w+)", "(\w+)"', SOURCE))
WHOLE_SECTIONS = {
    *re.findall(r'\bwords\("(\w+)"\)', SOURCE),
    *("state", "state_sign", "outcome", "outcome_sign", "answer", "deadline", "date"),
}
"""Sections whose keys come from the API's answers or from a list in a page."""


def test_every_text_that_a_page_uses_exists():
    """Each section and key in the code is in the file."""
    assert USED
    for section, key in USED:
        assert key in texts.words(section), (section, key)
    for section in WHOLE_SECTIONS:
        assert texts.words(section)


def test_every_text_in_the_file_is_used():
    """A text that no page shows is removed from the file."""
    by_variable = {
        ("provider", "runs_changed"),
        ("provider", "runs_newest"),
        ("chart", "onset"),
        ("chart", "lift"),
    }
    in_file = {(s, k) for s, keys in texts._sections().items() if s not in WHOLE_SECTIONS for k in keys}
    assert in_file == {(s, k) for s, k in USED if s not in WHOLE_SECTIONS} | by_variable


def test_states_and_outcomes_have_a_sign_each():
    """No two share one, so that they can be told apart without colour."""
    for names, signs in (("state", "state_sign"), ("outcome", "outcome_sign")):
        assert list(texts.words(names)) == list(texts.words(signs))
        assert len(set(texts.words(signs).values())) == len(texts.words(signs))
    assert set(LIGHT.outcomes()) == set(texts.words("outcome"))
    assert texts.state("blocked") == "● stopped working"

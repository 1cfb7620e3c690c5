"""What is kept of a page."""

from __future__ import annotations

import pytest

from probe.net.page import WebPage


def page(status, body=b"", **headers):
    """A page."""
    made = WebPage()
    made.status, made.headers, made.body = status, headers, body
    return made


@pytest.mark.parametrize(
    ("location", "kept"),
    [
        ("https://a.example/path?who=me", "https://a.example"),
        ("https://me:secret@a.example:8443/", "https://a.example"),
        ("/relative", ""),
        ("http://[broken", ""),
        ("", ""),
    ],
)
def test_of_a_location_scheme_and_host_are_kept(location, kept):
    """No path, no query, no credentials."""
    assert page(302, location=location).facts(())["location"] == kept


def test_what_is_no_http_has_facts_but_no_status():
    """Some middleboxes send a bare page."""
    facts = page(None, b"<html><title>Blocked</title>").facts(())
    assert "status" not in facts
    assert facts["title_hash"]
    assert facts["length"] == 28


def test_of_nothing_there_are_no_facts():
    """Where nothing came."""
    assert page(None).facts(()) == {}
    assert page(204).facts(())["length"] == 0

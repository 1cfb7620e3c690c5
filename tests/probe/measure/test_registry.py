"""Adding a check is adding a file."""

from __future__ import annotations

import pytest

from probe.measure import checks, registry


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A second folder of checks."""
    monkeypatch.setattr(checks, "__path__", [*checks.__path__, str(tmp_path)])
    registry.checks.cache_clear()
    yield tmp_path
    registry.checks.cache_clear()


def test_the_shipped_checks_are_found_in_the_order_of_their_names():
    """Seven of the web, four of them in sweeps alone; one of the app."""
    found = [(c.name, c.surface, c.sweeps_only) for c in registry.checks()]
    assert found == [
        ("dns", "web", False),
        ("http", "web", False),
        ("http3", "web", True),
        ("sockets", "web", True),
        ("tcp", "web", True),
        ("telegram", "app", False),
        ("tls", "web", False),
        ("transfer", "web", True),
    ]


def test_a_new_file_is_a_new_check(folder):
    """No list is edited."""
    (folder / "newcheck.py").write_text("NAME = 'newcheck'\nSURFACE = 'app'\nasync def check(context): return []\n")
    assert "newcheck" in [c.name for c in registry.checks()]

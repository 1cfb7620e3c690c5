"""Adding a check to the probe is adding a file."""

from __future__ import annotations

import pytest

from probe.measure import checks, data_use, registry
from tests.support.factory import TEST_WATCH


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
    (folder / "newcheck.py").write_text(
        "NAME = 'newcheck'\nSURFACE = 'app'\nasync def check(context): return []\n"
        "def expected_bytes(watch, sweep): return 7\n"
    )
    (found,) = [c for c in registry.checks() if c.name == "newcheck"]
    assert (found.sweeps_only, found.triggers_sweep, found.is_available()) == (False, True, True)


def test_what_a_check_declares_decides_about_sweeps_and_projected_use(folder):
    """No other list of checks has to be edited in the probe."""
    before = data_use.of(TEST_WATCH, 1800)
    (folder / "anothercheck.py").write_text(
        "NAME = 'anothercheck'\nSURFACE = 'app'\nTRIGGERS_SWEEP = False\nasync def check(context): return []\n"
        "def expected_bytes(watch, sweep): return 1000 if sweep else 7\n"
    )
    registry.checks.cache_clear()
    after = data_use.of(TEST_WATCH, 1800)
    assert (after.round - before.round, after.sweep - before.sweep) == (7, 1000)
    assert [c.name for c in registry.checks() if not c.triggers_sweep] == [
        "anothercheck", "http", "http3", "sockets", "transfer",
    ]  # fmt: skip

"""`blockonset lab` on the command line."""

from __future__ import annotations

import json
import subprocess
import sys

from infra.lab import scenario


def call(*arguments):
    """The exit code, stdout and stderr of the command, run in a process of its own because it sets up the logs."""
    ended = subprocess.run(
        [sys.executable, "-m", "probe", "lab", *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_list_names_every_scenario():
    """As a table and as JSON."""
    code, out, _ = call("list")
    assert code == 0
    assert all(name in out for name in scenario.names())
    code, out, _ = call("list", "--json")
    assert [row["name"] for row in json.loads(out)] == list(scenario.names())


def test_show_prints_the_events_and_the_differences_from_a_real_network():
    """Every provider, every method, and the notes."""
    code, out, _ = call("show", "staggered")
    assert code == 0
    for p in scenario.load("staggered").providers:
        assert p.id in out
        assert not p.block or p.block.method in out
    assert "fictional" in out
    assert "On macOS" in " ".join(out.split())


def test_show_can_be_read_by_a_script():
    """The scenario as one JSON document."""
    code, out, _ = call("show", "quick", "--json")
    assert code == 0
    assert len(json.loads(out)["providers"]) == 3


def test_an_unknown_scenario_is_an_error_that_names_the_known_ones():
    """On stderr, with exit code 2 and no traceback."""
    code, out, err = call("show", "nowhere")
    assert (code, out) == (2, "")
    assert "'nowhere'" in err
    assert "quick, staggered" in err
    assert "Traceback" not in err


def test_a_country_needs_a_writable_directory(tmp_path):
    """The error names the directory."""
    (tmp_path / "country").touch()
    code, _, err = call("country", "--scenario", "quick", "--data", str(tmp_path), "--zero-ms", "0")
    assert code == 2
    assert str(tmp_path) in err

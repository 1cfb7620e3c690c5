"""`blockonset aggregator` writes only where it was told to, and takes its settings from a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.factory import WATCH

ROOT = Path(__file__).parents[2]


def aggregator(directory, *words):
    """The exit code, stdout and stderr of a command that is run in a directory, and what it left there."""
    done = subprocess.run(
        [sys.executable, "-m", "probe", "aggregator", *words], cwd=directory, capture_output=True, text=True,
        check=False, timeout=60, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr, sorted(p.name for p in directory.iterdir())


@pytest.mark.parametrize("words", [(), ("run",), ("rejudge",)])
def test_without_a_place_for_its_data_it_refuses_and_writes_nothing(tmp_path, words):
    """The error says how to name one."""
    code, out, err, left = aggregator(tmp_path, *words)
    assert (code, out, left) == (2, "", [])
    assert err.count("\n") == 1
    assert "--data DIR" in err


def test_a_file_names_everything_that_it_needs(tmp_path):
    """Run from elsewhere. Here only NATS does not answer."""
    elsewhere, etc = tmp_path / "elsewhere", tmp_path / "etc"
    elsewhere.mkdir()
    etc.mkdir()
    (etc / "watch.toml").write_bytes(WATCH)
    (etc / "aggregator.toml").write_text(
        'data = "state"\nnats = ["nats://127.0.0.1:1"]\nwatch = ["watch.toml"]\napi_port = 0\n'
    )
    code, out, err, left = aggregator(elsewhere, "run", "--config", str(etc / "aggregator.toml"))
    assert (code, out, left) == (2, "", [])
    assert err.splitlines()[-1].startswith("error: ")
    assert "nats://127.0.0.1:1" in err.splitlines()[-1]
    assert {f.name for f in (etc / "state").iterdir()} >= {"aggregator.key", "operator.key", "store"}
    assert aggregator(elsewhere, "rejudge", "--data", str(etc / "state"))[0] == 0

"""What holds for all tests is itself tested, by a real run of pytest in several processes."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = '''
import pytest
from probe.protocol.keys import Key

def test_skipped():
    """Where something is missing."""
    pytest.skip("no such thing here")

@pytest.mark.server
def test_server():
    """Where there is no server."""
    pytest.skip("no server")

@pytest.mark.parametrize("key", [Key.create("user").id])
def test_named(key):
    """By a key of its own in each process."""
'''
OPTIONS = ["-p", "xdist", "-p", "tests.conftest", "-p", "no:cacheprovider", "-n", "2", "--dist", "loadfile", "-ra"]


def test_ci_may_skip_nothing_but_what_needs_a_server(tmp_path):
    """Whichever process it is that skips; the reason is told. Tests have the same names in all processes."""
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = server\n")
    # a run of its own, not a part of this one, without the plugins that it has no need of
    own = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, f"--rootdir={tmp_path}", str(tmp_path)],
        cwd=Path(__file__).parents[1],
        env=own | {"BLOCKONSET_CI": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 1 passed, 1 skipped" in done.stdout, done.stdout + done.stderr
    assert "CI may not skip this: no such thing here" in done.stdout
    assert "no server" in done.stdout

"""Pausing and resuming."""

from __future__ import annotations

from probe.base.clock import now_ms
from probe.home import notebook, texts
from tests.support.owned_probe import run_command

EN = texts.load("en")


def test_pause_and_resume(capsys, own_home, invite_line):
    """A pause is a file that the running probe reads."""
    run_command(capsys, "setup", invite_line, "--accept-risk", EN.version)
    directory = own_home / "home"
    assert run_command(capsys, "pause", "2h")[0] == 0
    assert notebook.held(directory).startswith("paused until")
    assert notebook.paused(directory, now_ms() + 3 * 3_600_000) is None
    assert run_command(capsys, "pause")[1].startswith("Paused until you run")
    assert "Measuring continues" in run_command(capsys, "resume")[1]
    assert "was not paused" in run_command(capsys, "resume")[1]
    assert run_command(capsys, "pause", "soon")[0] == 2

"""The service and the probe are removed together."""

from __future__ import annotations

import sys

from probe.home import texts
from probe.owner.service import install
from tests.support.owned_probe import run_command

EN = texts.load("en")


def test_the_service_is_written_and_started_on_yes_and_removed_with_everything(capsys, own_home, invite_line):
    """A systemd user unit. `uninstall` stops it, removes the probe's files and lists what remains."""
    code, _, _ = run_command(capsys, "setup", invite_line, "--accept-risk", EN.version, "--service")
    unit = own_home / "config" / "systemd" / "user" / install.UNIT
    assert code == 0
    assert f"ExecStart={sys.executable} -m probe probe run --config {own_home}/home/probe.toml" in unit.read_text()
    assert (own_home / "told").read_text().splitlines() == [
        "--user daemon-reload", f"--user enable --now {install.UNIT}",
    ]  # fmt: skip
    (own_home / "home" / "mine.txt").write_text("not the probe's")
    assert run_command(capsys, "uninstall")[0] == 2
    assert unit.exists()
    code, out, _ = run_command(capsys, "uninstall", "--yes")
    assert code == 0
    assert not unit.exists()
    assert [f.name for f in (own_home / "home").iterdir()] == ["mine.txt"]
    assert "mine.txt" in out.split("What remains")[1]
    assert f"--user disable --now {install.UNIT}" in (own_home / "told").read_text()

"""`blockonset completion` prints a script with which a shell completes every command and option."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def script(shell, before=""):
    """The script for a shell, from a process that runs some code first."""
    code = f"{before}\nfrom probe.cli.main import main; main(['completion', {shell!r}])"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout  # fmt: skip


@pytest.fixture(scope="module")
def completed(tmp_path_factory):
    """Completes words after `blockonset` in a real bash."""
    directory = tmp_path_factory.mktemp("bash")
    (directory / "script").write_text(script("bash"))
    (directory / "file.toml").touch()

    def complete(*words):
        asked = """
            eval "$(cat script)"  # as the line in ~/.bashrc does
            function=$(complete -p blockonset | sed -E 's/.*-F ([^ ]+).*/\\1/')
            COMP_WORDS=(blockonset "$@") COMP_CWORD=$#
            "$function"
            printf '%s\\n' "${COMPREPLY[@]}"
        """
        done = subprocess.run(
            ["bash", "--norc", "-c", asked, "bash", *words], cwd=directory, capture_output=True, text=True, check=True,
            env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert not done.stderr
        return done.stdout.split()

    return complete


def test_bash_completes_parts_commands_options_choices_and_files(completed):
    """As a person would meet them from left to right."""
    assert {"probe", "up", "completion"} <= set(completed(""))
    assert completed("pro") == ["probe"]
    assert {"setup", "panic", "status"} <= set(completed("probe", ""))
    assert completed("probe", "network", "--acc") == ["--access"]
    assert completed("probe", "network", "--access", "m") == ["mobile"]
    assert completed("watch", "show", "fi") == ["file.toml"]
    assert completed("aggregator", "--operator") == ["--operator-key"]
    assert completed("completion", "z") == ["zsh"]


def test_commands_that_are_hidden_are_not_offered(completed):
    """The lab's own processes."""
    assert sorted(completed("lab", "")) == ["list", "show"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell):
    """With every part and an option."""
    text = script(shell)
    assert all(
        part in text for part in ("aggregator", "dashboard", "infer", "lab", "probe", "up", "watch", "completion")
    )
    assert "operator-key" in text
    assert "blockonset" in text.splitlines()[0]


def test_a_part_whose_extra_is_missing_is_still_completed_by_name():
    """Its options are not known."""
    text = script("bash", "import sys; sys.modules['clickhouse_connect'] = sys.modules['psutil'] = None")
    assert "aggregator" in text
    assert "operator-key" not in text
    assert "--accept-risk" in text

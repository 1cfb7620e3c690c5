"""Tables are as wide as the terminal, and have colours unless they are unwanted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.terminal import shown

ROOT = Path(__file__).parents[3]
WATCH = "infra/watches/telegram-vn-2025.toml"
COMMANDS = [("lab", "list"), ("lab", "show", "quick"), ("watch", "show", WATCH), ("--help",), ("lab", "--help")]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_color_leaves_out_every_escape(words):
    """Bold text too."""
    text, code = shown("-m", "probe", *words, NO_COLOR="1")
    assert code == 0
    assert len(text) > 100
    assert "\x1b" not in text


def test_a_table_has_escapes_at_a_terminal_that_takes_them():
    """And none at a dumb one."""
    assert "\x1b" in shown("-m", "probe", "lab", "list")[0]
    assert "\x1b" not in shown("-m", "probe", "lab", "list", TERM="dumb")[0]


def test_an_error_has_no_escapes():
    """It is one plain line, at a terminal too."""
    text, code = shown("-m", "probe", "lab", "lst")
    assert code == 2
    assert text.startswith('error: unknown command "lst"; did you mean "list"?')
    assert "\x1b" not in text


def test_a_table_in_a_pipe_is_wide_and_plain_unless_colours_are_forced():
    """FORCE_COLOR forces them."""

    def piped(**environment):
        return subprocess.run(
            [sys.executable, "-m", "probe", "watch", "show", WATCH], cwd=ROOT, capture_output=True, text=True,
            check=True, env={"PATH": os.environ["PATH"], **environment},
        ).stdout  # fmt: skip

    assert "\x1b" not in piped()
    assert "\x1b" in piped(FORCE_COLOR="1", TERM="xterm-256color")
    assert "\x1b" not in piped(FORCE_COLOR="1", NO_COLOR="1", TERM="xterm-256color")

"""`--help` is plain text in columns, of one layout for the list of parts and for every command."""

from __future__ import annotations

import contextlib

import pytest
import structlog

from probe.cli import main
from tests.support import command_line

COMMANDS = command_line.commands()


@pytest.fixture(autouse=True)
def default_logs():
    """Undo what the command line does to the logs."""
    yield
    structlog.reset_defaults()


def helped(capsys, line):
    """What `--help` prints."""
    with contextlib.suppress(SystemExit):
        main.main([*line.split()[1:], "--help"])
    out, err = capsys.readouterr()
    assert not err
    return out


@pytest.mark.parametrize("line", ["blockonset", *COMMANDS])
def test_every_command_is_helped_in_plain_text(capsys, monkeypatch, line):
    """Usage first, at most 100 columns, without boxes, escapes or markup, even where colours are forced."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    text = helped(capsys, line)
    assert text.startswith(f"Usage: {line}")
    assert "\x1b" not in text
    assert not set(text) & set("│╭╰─")
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("line", COMMANDS)
def test_every_argument_is_in_the_help(capsys, line):
    """With its description."""
    lines = helped(capsys, line).splitlines()
    for first, *_ in command_line.arguments(COMMANDS[line]):
        at = next(i for i, text in enumerate(lines) if text.startswith("  ") and text.split()[0].rstrip(",") == first)
        assert len(lines[at].split()) > 2 or lines[at + 1].startswith("    ")


def test_a_negative_form_is_shown_only_where_it_does_something(capsys):
    """`--no-dashboard` does; `--no-json` is what happens anyway."""
    text = helped(capsys, "blockonset up")
    assert "--dashboard, --no-dashboard" in text
    assert "--no-json" not in text


def test_text_in_angle_or_square_brackets_is_not_taken_for_markup(capsys, tmp_path, monkeypatch):
    """A help text is printed as it was written."""
    (tmp_path / "bracketed.py").write_text(
        "from typing import Annotated\nfrom cyclopts import App, Parameter\napp = App()\n@app.default\n"
        "def go(*, x: Annotated[str, Parameter(help='In [table] or `<name>`.')] = ''):\n"
        "    'The part <here> [bold].'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    point = main.metadata.EntryPoint("part", "bracketed:app", main.GROUP)
    monkeypatch.setattr(main.metadata, "entry_points", lambda **_: main.metadata.EntryPoints([point]))
    text = helped(capsys, "blockonset part")
    assert "The part <here> [bold]." in text
    assert "In [table] or `<name>`." in text

"""A mistake on the command line is one plain line on stderr that names it, whatever the command."""

from __future__ import annotations

import pytest
import structlog

from probe.cli import main
from tests.support import command_line

COMMANDS = command_line.commands()
GROUPS = sorted({line.rpartition(" ")[0] for line in COMMANDS if line.count(" ") == 2})


@pytest.fixture(autouse=True)
def default_logs():
    """Undo what the command line does to the logs."""
    yield
    structlog.reset_defaults()


def refused(capsys, line, *more):
    """The one line that a wrong command line prints, without `error: `. It ends with where to read more."""
    with pytest.raises(SystemExit) as exit_:
        main.main([*line.split()[1:], *more])
    out, err = capsys.readouterr()
    assert (exit_.value.code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: ")
    assert err.endswith(f" (see {line} --help)\n")
    return err.removeprefix("error: ").removesuffix(f" (see {line} --help)\n")


def options(line):
    """The options of a command that take one value: name and type."""
    found = COMMANDS[line].assemble_argument_collection()
    valued = [a for a in found if len(a.names) == 1 and a.token_count()[0] == 1]  # a flag has a negative form too
    return [(a.names[0], a.hint) for a in valued if a.names[0].startswith("--")]


def required_options(line):
    """The options that a command can't do without: they are asked for first."""
    return [a.names[0] for a in COMMANDS[line].assemble_argument_collection() if a.required and a.names[0][:2] == "--"]


@pytest.mark.parametrize("line", [line for line in COMMANDS if line != "blockonset watch invite"])
def test_an_unknown_option_is_named(capsys, line):
    """In every command, but for one that first asks for the options that it can't do without."""
    assert refused(capsys, line, "--qqqq") == "unknown option --qqqq"


@pytest.mark.parametrize("line", [line for line in COMMANDS if options(line) and not required_options(line)])
def test_a_misspelt_option_is_named_with_the_right_one(capsys, line):
    """Its last letter is missing."""
    name = max((name for name, _ in options(line)), key=len)
    assert refused(capsys, line, name[:-1], "x") == f"unknown option {name[:-1]}; did you mean {name}?"


@pytest.mark.parametrize("line", [line for line in COMMANDS if options(line)])
def test_a_missing_value_is_named_by_its_option(capsys, line):
    """Each option that takes one."""
    for name, _ in options(line):
        assert refused(capsys, line, name) == f"{name} needs a value"


@pytest.mark.parametrize(
    ("line", "name"), [(line, name) for line in COMMANDS for name, hint in options(line) if hint in (int, float)]
)
def test_a_bad_value_is_named_with_its_option(capsys, line, name):
    """Text where a number must be."""
    kind = "int" if name.endswith("port") else "float"
    assert refused(capsys, line, name, "soon") == f'invalid value for {name}: unable to convert "soon" into {kind}'


def test_a_word_that_is_no_choice_is_named_with_the_choices(capsys):
    """A misspelt one with the right one."""
    text = refused(capsys, "blockonset probe network", "--access", "mobil")
    assert text.startswith('invalid value "mobil" for --access')
    assert all(word in text for word in ("fixed", "unknown", 'did you mean "mobile"?'))


@pytest.mark.parametrize("line", GROUPS)
def test_an_unknown_command_is_named_with_the_commands(capsys, line):
    """In every part that has commands."""
    text = refused(capsys, line, "nonsense")
    assert text.startswith('unknown command "nonsense". The commands are ') or text == "unexpected argument 'nonsense'"


def test_a_misspelt_command_is_named_with_the_right_one(capsys):
    """Also where the part is right."""
    assert '"shwo"; did you mean "show"?' in refused(capsys, "blockonset lab", "shwo")


@pytest.mark.parametrize(
    "line",
    [line for line in COMMANDS if line not in GROUPS and line != "blockonset infer" and not required_options(line)],
)
def test_an_argument_too_many_is_named(capsys, line):
    """`infer` takes as many files as are given."""
    positional = [names for names in command_line.arguments(COMMANDS[line]) if not names[0].startswith("-")]
    words = ["bash" if names[0] == "SHELL" else "dns" for names in positional]
    assert refused(capsys, line, *words, "surplus") == "unexpected argument 'surplus'"


@pytest.mark.parametrize("line", ["blockonset lab show", "blockonset probe check", "blockonset watch check"])
def test_a_missing_argument_is_named(capsys, line):
    """By the name that --help shows."""
    name = command_line.arguments(COMMANDS[line])[0][0]
    assert refused(capsys, line) == f"{name} is missing"

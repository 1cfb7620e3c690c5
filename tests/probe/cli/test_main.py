"""The command `blockonset` finds its parts, loads only the requested one, and shows no traceback by default."""

import re
import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
import structlog

from probe.base import process
from probe.cli import main
from tests.support import command_line

ROOT = Path(__file__).parents[3]
SHIPPED = {"probe", "aggregator", "infer", "watch", "dashboard", "up", "lab", "completion"}


def run(capsys, *arguments):
    """The exit code, stdout and stderr of a command line."""
    try:
        main.main(arguments)
    except SystemExit as e:
        code = e.code
    else:
        code = 0
    return code, *capsys.readouterr()


@pytest.fixture(autouse=True)
def default_logs():
    """Undo what the command line does to the logs."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def only(monkeypatch, tmp_path):
    """Installs a module with a given text as the only part, under the name `part`."""

    def install(text, extras=""):
        name = f"part_{tmp_path.name}"
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        point = EntryPoint("part", f"{name}:app{extras}", main.GROUP)
        monkeypatch.setattr(main.metadata, "entry_points", lambda **_: EntryPoints([point]))
        return point

    return install


def test_help_lists_every_part_with_a_line_and_imports_none_of_them():
    """The list of parts loads neither chDB nor Streamlit nor the probe."""
    code = "import sys; from probe.cli.main import main; main(['--help']); print(sorted(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = dict(re.findall(r"^  (\S+) +(\S.*)$", out, re.MULTILINE))
    assert set(listed) == SHIPPED
    assert all(text and "not installed" not in text for text in listed.values())
    loaded = out.splitlines()[-1]
    for heavy in ("cyclopts", "chdb", "streamlit", "numpy", "nats", "cryptography"):
        assert f"'{heavy}'" not in loaded


def test_version(capsys):
    """One line."""
    code, out, _ = run(capsys, "--version")
    assert code == 0
    assert out.startswith("blockonset 0.")


def test_an_unknown_part_is_named_with_the_most_similar_one(capsys):
    """The exit code is 2."""
    code, _, err = run(capsys, "prob")
    assert (code, err) == (2, "error: unknown command 'prob'; did you mean probe? (see blockonset --help)\n")


def test_a_missing_extra_is_named(only, capsys):
    """The error says what to install, without a traceback."""
    only("import nowhere_to_be_found\n", " [aggregator]")
    code, _, err = run(capsys, "part")
    assert code == 2
    assert "blockonset part needs: pip install 'blockonset[aggregator]'" in err
    assert err.count("\n") == 1


def test_a_users_mistake_is_one_line_of_output(only, capsys):
    """A UserError's message, and its exit code."""
    only(
        "from cyclopts import App\nfrom probe.base.errors import UserError\napp = App()\n"
        "@app.default\ndef go():\n    raise UserError('port 1: taken')\n"
    )
    assert run(capsys, "part") == (2, "", "error: port 1: taken\n")


def test_our_own_bug_is_reported_with_its_place_and_without_a_traceback(only, capsys, monkeypatch):
    """Type and place; with BLOCKONSET_DEBUG=1 the traceback too."""
    only(
        "from cyclopts import App\nfrom probe.protocol import keys\napp = App()\n"
        "@app.default\ndef go():\n    keys.text_of(None, 'user')\n"
    )
    monkeypatch.delenv("BLOCKONSET_DEBUG", raising=False)
    code, _, err = run(capsys, "part")
    assert code == process.EXIT_BUG
    assert "a bug in Blockonset" in err
    assert "TypeError at probe.protocol.keys:" in err
    assert "Traceback" not in err
    monkeypatch.setenv("BLOCKONSET_DEBUG", "1")
    assert "Traceback" in run(capsys, "part")[2]


def test_an_interrupt_has_its_exit_code(only, capsys):
    """130, as shells use it, and no output."""
    only("from cyclopts import App\napp = App()\n@app.default\ndef go():\n    raise KeyboardInterrupt\n")
    assert run(capsys, "part") == (130, "", "")


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ('"""The module."""\nfrom cyclopts import App\napp = App(help="The part.")\n', "The part."),
        ('"""The module.\n\nMore.\n"""\nfrom cyclopts import App\napp = App(help=__doc__)\n', "The module."),
        ("import nowhere_to_be_found\napp = 1\n", ""),
    ],
)
def test_a_parts_summary_is_its_apps_help_or_its_modules_docstring(only, text, summary):
    """It is read from the source: the module is not executed."""
    assert main.summary(only(text)) == summary


def test_a_variable_that_nothing_reads_is_refused(only, capsys, monkeypatch):
    """One that the part names in VARIABLES is accepted; an old name is refused with the new one."""
    only("from cyclopts import App\nVARIABLES = ('BLOCKONSET_PART_NATS',)\napp = App()\n@app.default\ndef go(): ...\n")
    monkeypatch.setenv("BLOCKONSET_PART_NATS", "x")
    assert run(capsys, "part") == (0, "", "")
    monkeypatch.setenv("BLOCKONSET_NATS", "x")
    code, out, err = run(capsys, "part")
    assert (code, out) == (2, "")
    assert err == "error: unknown variable BLOCKONSET_NATS in the environment: did you mean BLOCKONSET_PART_NATS?\n"


def test_no_variable_keeps_panic_from_working(capsys, monkeypatch, own_home):
    """It is for emergencies; `pause` can wait until the variable is mended."""
    monkeypatch.setenv("BLOCKONSET_NATS", "x")
    assert run(capsys, "probe", "pause")[0] == 2
    (own_home / "home").mkdir()
    (own_home / "home" / "probe.key").write_text("secret")
    assert run(capsys, "probe", "panic")[0] == 0
    assert not (own_home / "home").exists()


def test_every_command_prints_our_version(capsys):
    """Not that of the command line's library."""
    for words in (("--version",), ("lab", "--version"), ("lab", "list", "--version"), ("infer", "--version")):
        code, out, _ = run(capsys, *words)
        assert (code, out) == (0, f"blockonset {main.metadata.version('blockonset')}\n")


BEFORE_SETUP = {
    "check": (("dns",), 2, "--watch FILE"),
    "once": ((), 2, "--watch FILE"),
    "setup": (("x",), 2, "invite"),
    "panic": ((), 0, ""),
    "uninstall": (("--yes",), 0, ""),
}
"""The commands that do something else before setup: arguments, exit code, and what the error is about."""


@pytest.mark.parametrize("line", [line for line in command_line.commands() if line.startswith("blockonset probe ")])
def test_a_command_before_setup_says_that_no_probe_is_set_up(capsys, own_home, line):
    """In one line that says what to run; and nothing is written."""
    name = line.split()[-1]
    words, expected, text = BEFORE_SETUP.get(name, ((), 2, "no probe is set up here ("))
    code, _, err = run(capsys, "probe", name, *words)
    assert code == expected
    assert text in err
    assert err.count("\n") == (1 if expected else 0)
    if "no probe is set up" in text:
        assert err.startswith(f"error: {text}{own_home / 'home'}")
        assert err.endswith(" does not exist): run blockonset probe setup\n")
    assert not (own_home / "home").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("check", "telegram"), "--watch FILE"),
        (("check", "telegram", "--watch", "none.toml"), "watch none.toml: can't be read"),
        (("check", "telegram", "--watch", "pyproject.toml"), "watch pyproject.toml: "),
        (("check", "smtp", "--watch", "infra/watches/telegram-vn-2025.toml"), "check 'smtp'"),
        (("once",), "--watch FILE"),
        (("once", "--config", "a", "--watch", "b"), "--config or --watch"),
        (("run", "--config", "none.toml"), "config none.toml: can't be read"),
    ],
)
def test_the_probes_mistakes_are_one_line_each(capsys, monkeypatch, arguments, says):
    """With exit code 2, and nothing is measured."""
    monkeypatch.chdir(ROOT)
    code, out, err = run(capsys, "probe", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert says in err

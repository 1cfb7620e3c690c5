"""The program accepts every command line of the docs; those that answer at once are run."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from urllib.parse import parse_qsl, urlsplit

import pytest
import structlog
from cyclopts import CycloptsError, MissingArgumentError

from probe.cli import main
from probe.protocol.keys import Key
from tests.support import command_line, doc_pages
from tests.support.doc_pages import ROOT
from tests.support.empty_api import empty_api

PARTS = command_line.parts()
COMMANDS = command_line.commands()
RUN = ("lab list", "lab show", "watch check", "watch show", "watch sign", "watch invite", "infer")
"""Commands that answer at once, from files alone."""
FOREIGN = {"--network"}
"""Options of other programs that the docs mention."""
MEASUREMENTS = """\
provider,probe,at,outcome,control
north,a,2026-01-31T10:00:00Z,ok,ok
north,a,2026-01-31T10:10:00Z,fail,ok
"""


def command_lines() -> list[tuple[str, str, bool]]:
    """Each line of code with its page, and whether it is in a block: there a command must be complete."""
    found = []
    for page in doc_pages.pages():
        text, name = page.read_text(encoding="utf-8"), page.relative_to(ROOT).as_posix()
        for block in doc_pages.blocks(text):
            lines = re.sub(r"\\\n\s*", "", block).splitlines()
            found += [(name, line.partition(" # ")[0].strip(), True) for line in lines]
        found += [(name, span, False) for span in doc_pages.spans(text)]
    return found


def ours(line: str) -> list[str] | None:
    """The arguments after `blockonset` of a line that calls it, also from within a container; None for other lines."""
    if line.startswith("CMD ["):  # a Dockerfile's
        words = json.loads(line.removeprefix("CMD "))
    elif "blockonset " in f"{line} " and "[" not in line:
        words = shlex.split(line)
    else:
        return None
    words = [w.removeprefix(".venv/bin/") for w in words]
    if "blockonset" not in words or "install" in words:
        return None
    return words[words.index("blockonset") + 1 :]


CALLS = sorted(
    {(page, tuple(words), whole) for page, line, whole in command_lines() if (words := ours(line)) is not None}
)
NAMED = [pytest.param(*call, id=f"{call[0]}: {' '.join(call[1])[:60]}") for call in CALLS]


@pytest.fixture(autouse=True)
def default_logs():
    """Undo what the command line does to the logs."""
    yield
    structlog.reset_defaults()


def test_the_docs_have_command_lines():
    """`command_lines` finds them: dozens, and of every part."""
    assert len(CALLS) > 40
    assert {words[0] for _, words, _ in CALLS if words} >= PARTS.keys() - {"aggregator"}


@pytest.mark.parametrize(("page", "words", "whole"), NAMED)
def test_the_program_accepts_it(page, words, whole):
    """Its part, its command, every option and value. A line in a sentence may leave required arguments out."""
    if not words or words[0] in ("--help", "--version"):
        return
    assert words[0] in PARTS, f"{page}: blockonset has no part {words[0]!r}"
    app = PARTS[words[0]]
    assert len(words) == 1 or words[1].startswith("-") or app.default_command or words[1] in app
    try:
        app.parse_args(list(words[1:]), print_error=False, exit_on_error=False)
    except MissingArgumentError:
        assert not whole, f"{page}: {' '.join(words)} lacks an argument"
    except CycloptsError as e:
        pytest.fail(f"{page}: blockonset {' '.join(words)}: {e}")


RUNNABLE = sorted(
    {
        words
        for _, words, whole in CALLS
        if " ".join(words[:2]).startswith(RUN) and (whole or any(w.startswith("--") for w in words))
    }
)


@pytest.mark.parametrize("words", RUNNABLE, ids=" ".join)
def test_what_answers_at_once_is_run(words, tmp_path, monkeypatch, capsys):
    """In a directory with the files that the docs name: the exit code is 0, and something is printed."""
    (tmp_path / "infra").symlink_to(ROOT / "infra")
    (tmp_path / "measurements.csv").write_text(MEASUREMENTS)
    Key.load_or_create(tmp_path / "operator.key", "operator")
    for path, text in doc_pages.named_blocks(doc_pages.text("adding-a-scenario.md")).items():
        (tmp_path / path.rpartition("/")[2]).write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main.main(words)
    assert not ended.value.code
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("line", ["blockonset", *COMMANDS])
def test_every_command_has_help(line, monkeypatch, capsys):
    """It prints every option."""
    monkeypatch.setenv("COLUMNS", "200")
    words = line.split()[1:]
    if not words:
        main.main(["--help"])
        listed = capsys.readouterr().out
        assert [part for part in PARTS if part not in listed] == []
        return
    with pytest.raises(SystemExit) as ended:
        main.main([*words, "--help"])
    assert not ended.value.code
    shown = capsys.readouterr().out
    assert [n for names in command_line.arguments(COMMANDS[line]) if (n := names[0]) not in shown] == []


def test_every_option_that_a_sentence_names_is_there():
    """Of some command of ours, or listed as another program's."""
    known = {name for app in COMMANDS.values() for names in command_line.arguments(app) for name in names}
    known |= {"--help", "--version"} | FOREIGN
    named = {(page, m[0]) for page, span, _ in command_lines() if (m := re.match(r"--[a-z][\w-]*", span))}
    assert sorted((page, option) for page, option in named if option not in known) == []


def test_every_make_target_and_module_is_there():
    """`make …` and `python -m …`."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    wrong = []
    for page, line, _ in command_lines():
        if (m := re.match(r"make(?: ([a-z][\w-]*))?(?: |$)", line)) and m[1] and m[1] not in targets:
            wrong.append((page, line))
        if (m := re.search(r"python -m ([\w.]+)", line)) and importlib.util.find_spec(m[1]) is None:
            wrong.append((page, line))
    assert wrong == []


def test_every_call_of_the_api_is_of_a_route():
    """With parameters that it has."""
    routes = {
        re.compile(re.sub(r"{\w+}", "[^/]+", path)): {q["name"] for q in operation["get"].get("parameters", ())}
        for path, operation in empty_api().openapi_schema.to_schema()["paths"].items()
    }
    wrong, calls = [], 0
    for page, line, _ in command_lines():
        if not line.startswith("curl "):
            continue
        calls += 1
        url = urlsplit(shlex.split(line)[-1])
        parameters = next((known for path, known in routes.items() if path.fullmatch(url.path)), None)
        if parameters is None or not {name for name, _ in parse_qsl(url.query)} <= parameters:
            wrong.append((page, line))
    assert calls
    assert wrong == []

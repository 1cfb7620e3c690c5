"""The command `blockonset`: finds its parts among the installed entry points and runs one of them.

A part is a `cyclopts.App` that an entry point of the group `blockonset.commands` names. Only that one is imported.
Its module may have VARIABLES, the environment variables that the part reads: others with our prefix are refused.
"""

from __future__ import annotations

import ast
import difflib
import importlib.util
import os
import sys
from importlib import metadata
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import TYPE_CHECKING

from probe.base import environment, extras
from probe.base.errors import UserError
from probe.base.process import guarded
from probe.cli import help  # noqa: A004 - the module's name says what it is

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import App

GROUP = "blockonset.commands"

_ABOUT = "When did each network provider begin to block a service?"
_COMPLETION = EntryPoint("completion", "probe.cli.completion:app", GROUP)
_HELP_FLAGS = ("--help", "-h")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code: 0 only on success."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    guarded(lambda: _run(words))


def _run(arguments: list[str]) -> None:
    first = arguments[0] if arguments else "--help"
    if first in (*_HELP_FLAGS, "help"):
        sys.stdout.write(_help())
        return
    if first in ("--version", "-V"):
        sys.stdout.write(f"{_version()}\n")
        return
    part = _find(first)
    from cyclopts import App, CycloptsError  # noqa: PLC0415 - not needed for the list of parts

    from probe.cli import usage  # noqa: PLC0415

    root = App(
        name="blockonset",
        help_flags=_HELP_FLAGS,
        help_format="plaintext",
        help_formatter=help.PlainHelp(),
        exit_on_error=False,
        print_error=False,
    )
    with extras.named(f"blockonset {first}", part.extras):
        root.command(_described(part.load()), name=first)
        if arguments[:2] != ["probe", "panic"]:  # which nothing may keep from working
            known = getattr(sys.modules[part.module], "VARIABLES", ())
            environment.check(os.environ, parts().names, known)
        try:
            root(arguments)
        except CycloptsError as e:
            raise UserError(usage.message(e, arguments)) from e


def parts() -> EntryPoints:
    """Every part: those that are installed, and `completion`, which belongs to the command itself."""
    return EntryPoints([*metadata.entry_points(group=GROUP), _COMPLETION])


def _find(name: str) -> EntryPoint:
    """The part with this name. Raises UserError if there is none."""
    known = parts()
    if name in known.names:
        return known[name]
    near = difflib.get_close_matches(name, known.names, 1)
    hint = f"did you mean {near[0]}?" if near else f"the commands are {', '.join(sorted(known.names))}"
    what = f"option {name}" if name.startswith("-") else f"command {name!r}"
    raise UserError(f"unknown {what}; {hint} (see blockonset --help)")


def _described(app: App) -> App:
    """The App with our version in it and in its commands, where cyclopts would print its own.

    A part that is itself the only command is described by its function; its `help` is for the list of parts.
    """
    app.version = _version
    commands = [app[name] for name in app if not name.startswith("-")]
    if app.default_command and not commands:
        app.help = None
    for command in commands:
        _described(command)
    return app


def _version() -> str:
    return f"blockonset {metadata.version('blockonset')}"


def _help() -> str:
    listed = help.columns((p.name, summary(p)) for p in sorted(parts(), key=lambda p: p.name))
    more = "blockonset COMMAND --help describes a command; blockonset --version prints the version."
    return f"Usage: blockonset COMMAND\n\n{_ABOUT}\n\nCommands:\n{listed}\n{help.paragraphs(more)}\n"


def summary(part: EntryPoint) -> str:
    """A part's purpose in one line, without importing it: the `help` of its App, or its module's docstring."""
    try:
        spec = importlib.util.find_spec(part.module)
    except ModuleNotFoundError:
        spec = None
    if spec is None or spec.origin is None:
        return "(not installed)"
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    calls = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and any(isinstance(t, ast.Name) and t.id == part.attr for t in node.targets)
    )
    texts = (k.value.value for c in calls for k in c.keywords if k.arg == "help" and isinstance(k.value, ast.Constant))
    text = next(texts, None) or ast.get_docstring(tree) or ""
    return str(text).strip().split("\n", 1)[0]

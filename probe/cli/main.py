"""The command `blockonset`: finds its parts among the installed entry points and runs one of them.

A part is a `cyclopts.App` that an entry point of the group `blockonset.commands` names. Only that one is imported.
"""

from __future__ import annotations

import ast
import difflib
import importlib.util
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from probe.base.errors import UserError
from probe.base.process import guarded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.metadata import EntryPoint

    from cyclopts import App

GROUP = "blockonset.commands"

_USAGE = """\
Usage: blockonset PART [ARGUMENTS]

When did each network provider begin to block a service? Parts:

{parts}

blockonset PART --help describes a part; blockonset --version prints the version.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code: 0 only on success."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    guarded(lambda: _run(words))


def _run(arguments: list[str]) -> None:
    first = arguments[0] if arguments else "--help"
    if first in ("--help", "-h", "help"):
        sys.stdout.write(_USAGE.format(parts="\n".join(_list())))
        return
    if first in ("--version", "-V"):
        sys.stdout.write(f"blockonset {metadata.version('blockonset')}\n")
        return
    from cyclopts import App  # noqa: PLC0415 - not needed for the list of parts

    root = App(name="blockonset", help_flags=["--help", "-h"])
    root.command(_load(first), name=first)
    root(arguments)


def _load(name: str) -> App:
    """The part with this name. Raises UserError if it is unknown or its extra isn't installed."""
    parts = metadata.entry_points(group=GROUP)
    if name not in parts.names:
        near = difflib.get_close_matches(name, parts.names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"the parts are {', '.join(sorted(parts.names))}"
        raise UserError(f"blockonset has no part {name!r}; {hint}")
    part = parts[name]
    try:
        app: App = part.load()
    except ModuleNotFoundError as e:
        if not part.extras or (e.name or "").split(".")[0] in ("probe", "aggregator", "dashboard", "infra"):
            raise
        raise UserError(
            f"blockonset {name} needs: pip install 'blockonset[{','.join(part.extras)}]' ({e.name} is not installed)"
        ) from e
    return app


def _list() -> list[str]:
    parts = sorted(metadata.entry_points(group=GROUP), key=lambda p: p.name)
    width = max((len(p.name) for p in parts), default=0)
    return [f"  {p.name:<{width}}  {summary(p)}" for p in parts]


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

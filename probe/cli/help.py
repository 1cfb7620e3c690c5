"""The layout of `--help`: plain columns without boxes or colours, for the list of parts and for the parts alike."""

from __future__ import annotations

import io
import itertools
import shutil
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions

_WIDEST = 100
_WIDEST_LABEL = 28
"""A label that is longer has a line of its own."""
_KINDS = {"STR": "TEXT", "INT": "NUMBER", "FLOAT": "NUMBER"}
"""What cyclopts calls the values of an option, in a reader's words."""
_HIDDEN_DEFAULTS = {"False", '""', "()", "None"}
"""Defaults that tell a reader nothing."""


def columns(rows: Iterable[tuple[str, str]]) -> str:
    """Labels and their texts in two columns, wrapped to the terminal's width. Each row ends with a line feed."""
    listed = list(rows)
    width = max((len(label) for label, _ in listed if len(label) <= _WIDEST_LABEL), default=0)
    lines: list[str] = []
    for label, text in listed:
        texts = textwrap.wrap(text, max(_width() - width - 4, 20)) or [""]
        if len(label) > width:
            lines.append(f"  {label}")
            label = ""  # noqa: PLW2901 - it is written
        both = itertools.zip_longest([label], texts, fillvalue="")
        lines += [f"  {left:<{width}}  {right}".rstrip() for left, right in both]
    return "".join(f"{line}\n" for line in lines)


def paragraphs(text: str) -> str:
    """Paragraphs, wrapped to the terminal's width."""
    return "\n\n".join(textwrap.fill(" ".join(p.split()), _width()) for p in text.split("\n\n"))


class PlainHelp:
    """Writes the help of a cyclopts App: the protocol `cyclopts.help.protocols.HelpFormatter`."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:  # noqa: ARG002 - here and below: the protocol's arguments
        """Write one group of commands, arguments or options."""
        if panel.entries:
            title = "Options" if panel.title == "Parameters" else panel.title
            _write(console, f"{title}:\n{columns((_label(e), _text(e)) for e in panel.entries)}")

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:  # noqa: ARG002
        """Write the line of usage."""
        if usage:
            _write(console, f"Usage: {_plain(usage).strip()}\n")

    def render_description(self, console: Console, options: ConsoleOptions, description: Any) -> None:  # noqa: ARG002
        """Write what the command does."""
        if text := _plain(description).strip():
            _write(console, f"{paragraphs(text)}\n")


def _label(entry: HelpEntry) -> str:
    kind = entry.metavar or ""
    entry = entry.copy(metavar=_KINDS.get(kind.removesuffix("..."), kind.removesuffix("...")) or None)
    labels = entry.display_labels_with_metavar
    if entry.positional_label:
        labels = labels[:1]
    elif entry.default == "False":
        labels = tuple(name for name in labels if name not in entry.negative_names)
    return ", ".join(labels)


def _text(entry: HelpEntry) -> str:
    parts = [_plain(entry.description)]
    if entry.choices:
        parts.append(f"[choices: {', '.join(entry.choices)}]")
    if entry.env_var:
        parts.append(f"[variable: {', '.join(entry.env_var)}]")
    if entry.default is not None and entry.default not in _HIDDEN_DEFAULTS and not entry.negative_names:
        parts.append(f"[default: {entry.default}]")
    if entry.required:
        parts.append("[required]")
    return " ".join(" ".join(parts).split())


def _plain(renderable: Any) -> str:
    """The text of something that rich can print."""
    from rich.console import Console  # noqa: PLC0415 - not needed for the list of parts

    file = io.StringIO()
    Console(file=file, width=10_000, color_system=None).print(renderable, markup=False, highlight=False)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def _write(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _width() -> int:
    return max(min(shutil.get_terminal_size().columns, _WIDEST), 40)

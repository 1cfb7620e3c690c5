"""Every command of `blockonset` with its arguments, read from the installed entry points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cyclopts import App


def parts() -> dict[str, App]:
    """The parts of the command line, loaded."""
    return {point.name: point.load() for point in main.parts()}


def commands() -> dict[str, App]:
    """Every command that `--help` shows and that can be run, by its whole line, such as `blockonset probe run`."""
    return {line: app for name, part in parts().items() for line, app in _walk(f"blockonset {name}", part)}


def _walk(line: str, app: App) -> Iterator[tuple[str, App]]:
    below = [name for name in app if not name.startswith("-")]
    if app.default_command:
        yield line, app
    for name in below:
        if app[name].show:
            yield from _walk(f"{line} {name}", app[name])


def arguments(app: App) -> list[list[str]]:
    """The names of each argument of a command: a positional one in capitals, an option with its negative form."""
    found = []
    for argument in app.assemble_argument_collection():
        first, *more = argument.names
        positional = argument.field_info.kind is not argument.field_info.kind.KEYWORD_ONLY
        found.append([first.strip("-").upper() if positional else first, *more])
    return found

"""Turns what cyclopts finds wrong with a command line into one plain line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclopts import MissingArgumentError, UnusedCliTokensError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import CycloptsError


def message(error: CycloptsError, arguments: Sequence[str]) -> str:
    """The error's text in one line, and where the command is described. `arguments` are those after `blockonset`."""
    if error.msg is not None and error.target is None and error.argument is None:
        return str(error.msg)  # raised by a command, not by the parser
    command = " ".join(("blockonset", *(error.command_chain or arguments[:1])))
    return f"{_text(error)} (see {command} --help)"


def _text(error: CycloptsError) -> str:
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        name = error.keyword or next((t.keyword for t in error.argument.tokens if t.keyword), None)
        if name:
            return f"{name} needs a value"
        name = error.argument.name
        positional = error.argument.field_info.kind is not error.argument.field_info.kind.KEYWORD_ONLY
        return f"{name.lstrip('-').upper()} is missing" if positional else f"{name} is missing"
    if isinstance(error, UnusedCliTokensError):
        return f"unexpected argument {(error.unused_tokens or [''])[0]!r}"
    error.verbose = False  # the parser sets this for its own errors, and a command may raise one of them
    text = " ".join(str(error).split()).replace("Unknown option: ", "unknown option ")
    if "Did you mean " in text:
        text = text.partition(" Available commands: ")[0]
    text = text.replace(". Did you mean ", "; did you mean ").replace(" Available commands: ", " The commands are ")
    text = text if text.endswith("...") else text.removesuffix(".")
    return text[:1].lower() + text[1:]

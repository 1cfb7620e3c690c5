"""Environment variables: their prefix, those that every command reads, and the refusal of those that nothing reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.base.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

PREFIX = "BLOCKONSET_"
COMMON = ("BLOCKONSET_LOG", "BLOCKONSET_DEBUG", "BLOCKONSET_CI", "BLOCKONSET_TEST_DSN")
"""Variables of no single part. The last two are read by tests."""


def prefix(part: str) -> str:
    """What the variables of a part begin with, such as `BLOCKONSET_PROBE_`."""
    return f"{PREFIX}{part.upper()}_"


def check(environment: Mapping[str, str], parts: Collection[str], known: Collection[str] = ()) -> None:
    """Raise UserError for a variable with our prefix that nothing reads: an old name, or one that is misspelt.

    `known` are the variables of the part that is about to run. Those of other `parts` are not looked at: only the part
    itself can list them.
    """
    others = [prefix(p) for p in parts if not any(name.startswith(prefix(p)) for name in known)]
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in COMMON or name in known or name.startswith(tuple(others)):
            continue
        hint = _nearest(name, known)
        raise UserError(f"unknown variable {name} in the environment: {hint}")


def _nearest(name: str, known: Collection[str]) -> str:
    """What the variable was probably meant to be, as the end of a sentence."""
    import difflib  # noqa: PLC0415 - a probe that runs has no use for it

    ending = name.removeprefix(PREFIX)
    same_key = [k for k in known if k.removeprefix(PREFIX).partition("_")[2] == ending]
    near = same_key or difflib.get_close_matches(name, [*COMMON[:2], *known], 1, cutoff=0.85)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return (
        f"a part's variables begin with its name, such as {prefix('probe')}{ending} or {prefix('aggregator')}{ending}; "
        "docs/configuration.md lists all"
    )

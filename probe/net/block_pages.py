"""Known block pages, read from a CSV file in the format of the public lists (ooni/blocking-fingerprints).

Columns that are used: `name`; `scope` (`fp` marks a harmless page that looks like a block page: when such a row
matches, no other counts); `location_found` (`body`, or `header.` and a header's name in lower case); `pattern_type`
(`full`, `prefix`, `contains`, `regexp`); `pattern`. Rows for other locations, such as `dns`, are ignored.
"""

from __future__ import annotations

import csv
import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from probe.base.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SHIPPED = Path(__file__).with_name("block_pages.csv")
_NEEDED = frozenset({"name", "scope", "location_found", "pattern_type", "pattern"})

_MATCHERS: dict[str, Callable[[str, str], bool]] = {
    "full": lambda pattern, value: value == pattern,
    "prefix": lambda pattern, value: value.startswith(pattern),
    "contains": lambda pattern, value: pattern in value,
    "regexp": lambda pattern, value: re.search(pattern, value, re.DOTALL) is not None,
}


class Fingerprint(NamedTuple):
    """One row of the file."""

    name: str
    scope: str
    location: str
    kind: str
    pattern: str

    def matches(self, headers: Mapping[str, str], body: str) -> bool:
        """Whether an answer has the pattern in its body or in the header that the row is for."""
        value = body if self.location == "body" else headers.get(self.location.removeprefix("header."), "")
        return _MATCHERS[self.kind](self.pattern, value)


@functools.cache
def read(path: Path = SHIPPED) -> tuple[Fingerprint, ...]:
    """Read a list of fingerprints. Raises a UserError that names the file and the line."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            missing = _NEEDED.difference(rows.fieldnames or ())
            if missing:
                raise UserError(f"{path}: column {min(missing)!r} is missing")
            fingerprints = [_fingerprint(row, f"{path}:{rows.line_num}") for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise UserError(f"{path}: not a readable CSV file: {e}") from e
    return tuple(f for f in fingerprints if f is not None)


def match(headers: Mapping[str, str], body: bytes, fingerprints: tuple[Fingerprint, ...]) -> str:
    """The name of the first fingerprint that matches an answer; "" when none does, or when a harmless one does too.

    The names of `headers` are in lower case.
    """
    text = body.decode("utf-8", "replace")
    matching = [f for f in fingerprints if f.matches(headers, text)]
    if not matching or any(f.scope == "fp" for f in matching):
        return ""
    return matching[0].name


def _fingerprint(row: dict[str, str], where: str) -> Fingerprint | None:
    """One row, checked; None for a location that is not used. `where` names file and line. Raises UserError."""
    name, location, kind, pattern = (row[c] or "" for c in ("name", "location_found", "pattern_type", "pattern"))
    if location != "body" and not location.startswith("header."):
        return None
    if not name or not pattern:
        raise UserError(f"{where}: name and pattern must not be empty")
    if kind not in _MATCHERS:
        raise UserError(f"{where}: pattern_type {kind!r} must be one of {', '.join(_MATCHERS)}")
    if kind == "regexp":
        try:
            re.compile(pattern)
        except re.error as e:
            raise UserError(f"{where}: pattern is not a regular expression: {e}") from e
    return Fingerprint(name, row["scope"] or "", location, kind, pattern)

"""All words that the pages show, from `languages/en.toml`. Sentences about providers and watches come from the API."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources

LANGUAGE = "en"


def text(section: str, key: str, /, **values: object) -> str:
    """A text with its placeholders filled in. Raises KeyError for an unknown section or key."""
    return _sections()[section][key].format(**values)


def words(section: str) -> dict[str, str]:
    """All texts of a section, by key in the order of the file. Raises KeyError for an unknown section."""
    return dict(_sections()[section])


def state(key: str) -> str:
    """A provider's state with its sign: `● stopped working`."""
    return f"{text('state_sign', key)} {text('state', key)}"


def outcome(key: str) -> str:
    """A run's outcome with its sign: `■ failed`."""
    return f"{text('outcome_sign', key)} {text('outcome', key)}"


@functools.cache
def _sections() -> dict[str, dict[str, str]]:
    file = resources.files(__package__).joinpath(f"languages/{LANGUAGE}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))

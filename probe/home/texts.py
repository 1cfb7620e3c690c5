"""What the probe says to the person whose line it uses: one TOML file a language, `[section]` by command.

A language's file that lacks a text shows the English one. `[about] reviewed` says whether a native speaker has read
it. The consent text is hashed, so that a changed text is asked about again.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from importlib import resources
from typing import NamedTuple

FALLBACK = "en"


class Texts(NamedTuple):
    """The texts of a language, by section and key."""

    language: str
    texts: dict[str, dict[str, str]]
    fallback: dict[str, dict[str, str]]

    def text(self, section: str, key: str, /, **values: object) -> str:
        """A text with its places filled in. A missing one is the English one, and last of all its name."""
        found = self.texts.get(section, {}).get(key) or self.fallback.get(section, {}).get(key)
        return f"{section}.{key}" if found is None else found.strip().format(**values)

    @property
    def version(self) -> str:
        """What names this consent text, as it stands in this language: `en-` and 12 hex digits of its hash."""
        return f"{self.language}-{self.digest[:12]}"

    @property
    def digest(self) -> str:
        """SHA-256 of the consent text, with its places open and the words that are to be typed."""
        consent = self.texts["consent"]
        return hashlib.sha256(f"{consent['text'].strip()}\n{consent['words']}".encode()).hexdigest()


def languages() -> tuple[str, ...]:
    """The languages there are, sorted."""
    files = resources.files(__package__).joinpath("languages").iterdir()
    return tuple(sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml")))


def load(language: str = "") -> Texts:
    """The texts of a language; without one, of the environment's; English where there is no such file."""
    wanted = language or _environment()
    known = languages()
    chosen = next((k for k in known if wanted.lower().startswith(k)), FALLBACK)
    return Texts(chosen, _read(chosen), _read(FALLBACK))


def versions() -> dict[str, str]:
    """The present consent version of each language: version -> language."""
    return {load(name).version: name for name in languages()}


def _environment() -> str:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return value
    return FALLBACK


def _read(language: str) -> dict[str, dict[str, str]]:
    text = resources.files(__package__).joinpath(f"languages/{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)

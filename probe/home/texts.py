"""The texts that the probe shows to the person whose line it uses: a TOML file for each language, a section by command.

Where a language's file lacks a text, the English one is shown. `[about] reviewed` says whether a native speaker has
read the file. The consent text is hashed, so that consent is asked for again when the text changes.
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
        """A text with its placeholders filled in: in this language, else in English, else its name."""
        template = self.texts.get(section, {}).get(key) or self.fallback.get(section, {}).get(key)
        return f"{section}.{key}" if template is None else template.strip().format(**values)

    @property
    def version(self) -> str:
        """The version of the consent text in this language: `en-` and the first 12 hex digits of its hash."""
        return f"{self.language}-{self.digest[:12]}"

    @property
    def digest(self) -> str:
        """SHA-256 in hex of the consent text, its placeholders not filled in, and of the words that are to be typed."""
        consent = self.texts["consent"]
        return hashlib.sha256(f"{consent['text'].strip()}\n{consent['words']}".encode()).hexdigest()


def languages() -> tuple[str, ...]:
    """The available languages, sorted."""
    files = resources.files(__package__).joinpath("languages").iterdir()
    return tuple(sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml")))


def load(language: str = "") -> Texts:
    """The texts of a language, or of the environment's when none is given; English where there is no file for it."""
    wanted = language or _environment_language()
    chosen = next((k for k in languages() if wanted.lower().startswith(k)), FALLBACK)
    return Texts(chosen, _read(chosen), _read(FALLBACK))


def versions() -> dict[str, str]:
    """The version of each language's present consent text: version -> language."""
    return {load(name).version: name for name in languages()}


def _environment_language() -> str:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return value
    return FALLBACK


def _read(language: str) -> dict[str, dict[str, str]]:
    text = resources.files(__package__).joinpath(f"languages/{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)

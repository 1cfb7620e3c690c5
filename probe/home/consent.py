"""Consent: asked for in so many words, recorded with the hash of the text, asked again when the text changes."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import msgspec

from probe.base.errors import UserError
from probe.base.private_file import write
from probe.home import texts as messages
from probe.home.files import CONSENT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from probe.home.texts import Texts


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """What was agreed to, and how. It stays on this machine."""

    version: str
    language: str
    sha256: str
    """Of the language's consent text, its places open."""
    agreed_ms: int
    how: str
    """`typed`, or `--accept-risk`."""


def read(directory: Path) -> Consent | None:
    """The record, or None. Raises UserError for one that can't be understood."""
    file = directory / CONSENT
    try:
        return msgspec.json.decode(file.read_bytes(), type=Consent)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as e:
        raise UserError(f"{file}: can't be read ({e}): remove it and run blockonset probe setup") from e


def ask(texts: Texts, accepted: str, answer: Callable[[str], str] | None) -> Consent:
    """Consent to the text that was just shown. `answer` asks a person; None where nobody can be asked.

    Raises UserError when it isn't given.
    """
    if accepted:
        if accepted != texts.version:
            raise UserError(texts.text("consent", "unknown", given=accepted, version=texts.version))
        return _record(texts, "--accept-risk")
    if answer is None:
        raise UserError(texts.text("consent", "no_terminal", version=texts.version))
    words = texts.text("consent", "words")
    if answer(texts.text("consent", "ask", words=words)).strip().casefold() != words.casefold():
        raise UserError(texts.text("consent", "refused"))
    return _record(texts, "typed")


def save(directory: Path, consent: Consent) -> None:
    """Keep the record. Raises UserError."""
    write(directory / CONSENT, msgspec.json.format(msgspec.json.encode(consent), indent=2))


def holds(consent: Consent | None) -> bool:
    """Whether a consent is to a text as it stands now."""
    return consent is not None and messages.versions().get(consent.version) == consent.language


def require(directory: Path, accepted: str, texts: Texts) -> None:
    """Refuse to run without consent. `accepted` is the configuration's `accept_risk`. Raises UserError."""
    consent = read(directory)
    if accepted in messages.versions() or holds(consent):
        return
    if consent is not None:
        raise UserError(texts.text("consent", "changed", old=consent.version))
    raise UserError(texts.text("consent", "missing", version=texts.version))


def at_terminal() -> Callable[[str], str] | None:
    """What asks a person, or None where there is none."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    return lambda question: input(f"{question}\n> ")


def _record(texts: Texts, how: str) -> Consent:
    return Consent(
        version=texts.version,
        language=texts.language,
        sha256=texts.digest,
        agreed_ms=time.time_ns() // 1_000_000,
        how=how,
    )

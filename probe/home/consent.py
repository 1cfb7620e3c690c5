"""The volunteer's consent to a text: typed in set words, recorded with the text's hash, and void when it changes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec

from probe.base.clock import now_ms
from probe.base.errors import UserError
from probe.base.private_file import write
from probe.home.files import CONSENT
from probe.home.texts import versions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from probe.home.texts import Texts

_YES = frozenset({"y", "yes", "có"})


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """What was agreed to, and how. The record stays on this machine."""

    version: str
    language: str
    sha256: str
    """Hash of the consent text in that language, `Texts.digest`."""
    agreed_ms: int
    how: str
    """`typed`, or `--accept-risk`."""


def read(directory: Path) -> Consent | None:
    """The record in the probe's directory, or None. Raises UserError for one that can't be read."""
    file = directory / CONSENT
    try:
        return msgspec.json.decode(file.read_bytes(), type=Consent)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as e:
        raise UserError(f"{file}: can't be read ({e}): remove it and run: blockonset probe setup") from e


def ask(texts: Texts, accepted: str, answer: Callable[[str], str] | None) -> Consent:
    """Get consent to the text that was just shown, and return its record.

    `accepted` is the version given with --accept-risk, or "". Without it `answer` asks the person at the terminal; it
    is None where there is no terminal. Raises UserError when consent is not given.
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
    """Write the record. Raises UserError."""
    write(directory / CONSENT, msgspec.json.format(msgspec.json.encode(consent), indent=2))


def holds(consent: Consent | None) -> bool:
    """Whether there is consent, and to the present text."""
    return consent is not None and versions().get(consent.version) == consent.language


def require(directory: Path, accepted: str, texts: Texts) -> None:
    """Raise UserError unless there is consent. `accepted` is the configuration's `accept_risk`."""
    consent = read(directory)
    if accepted in versions() or holds(consent):
        return
    if consent is not None:
        raise UserError(texts.text("consent", "changed", old=consent.version))
    raise UserError(texts.text("consent", "missing", version=texts.version))


def is_yes(answer: str) -> bool:
    """Whether a person's answer to a yes-or-no question is yes, in any of the languages of the texts."""
    return answer.strip().lower() in _YES


def at_terminal() -> Callable[[str], str] | None:
    """A function that asks a question at the terminal and returns the answer; None where there is no terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    return lambda question: input(f"{question}\n> ")


def _record(texts: Texts, how: str) -> Consent:
    return Consent(
        version=texts.version,
        language=texts.language,
        sha256=texts.digest,
        agreed_ms=now_ms(),
        how=how,
    )

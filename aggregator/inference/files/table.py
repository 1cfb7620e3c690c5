"""Answers as a table for people."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table

from aggregator.inference.answer.answer import Answer, Interval

HEADINGS = ("watch", "provider", "surface", "state", "p", "onset (UTC)", "interval", "lift (UTC)", "lines", "reasons")


def _short(text: str | None) -> str:
    return "?" if text is None else text[:19].replace("T", " ")


def _middle(interval: Interval | None) -> str:
    return "" if interval is None else _short(interval.estimate)


def _ends(interval: Interval | None) -> str:
    return "" if interval is None else f"{_short(interval.earliest)} … {_short(interval.latest)}"


def table(answers: Iterable[Answer]) -> Table:
    """One row for each answer. Times are truncated to seconds."""
    shown = Table(*HEADINGS)
    for a in answers:
        state = a.state if a.pattern in ("none", "full") else f"{a.state}, {a.pattern}"
        shown.add_row(
            a.watch, a.provider, a.surface, state, f"{a.p_block:.3f}", _middle(a.onset), _ends(a.onset),
            _middle(a.lift), str(a.lines), "; ".join(a.reasons),
        )  # fmt: skip
    return shown

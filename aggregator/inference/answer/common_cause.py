"""Common causes: a provider must not be accused of what its transit, a gateway or the service itself did."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import msgspec

from aggregator.inference.answer.answer import Answer
from probe.base import times

REASON = "common_cause_possible"


def _onset_ms(answer: Answer) -> int | None:
    text = answer.onset.estimate if answer.onset else None
    return None if text is None else times.milliseconds(times.moment(text))


def unmarked(answer: Answer) -> Answer:
    """The answer without REASON, as its own rows alone give it."""
    return msgspec.structs.replace(answer, reasons=tuple(r for r in answer.reasons if r != REASON))


def marked(
    answers: Sequence[Answer], cadences_ms: Sequence[int], upstreams: Mapping[str, Sequence[str]]
) -> list[Answer]:
    """The answers, with REASON added where two providers of a watch and surface changed together.

    Together: estimates within the greater of their cadences, or an upstream in common. `upstreams`: names by provider.
    """
    onsets = [_onset_ms(a) for a in answers]
    together: set[int] = set()
    groups: dict[tuple[str, str], list[int]] = {}
    for i, a in enumerate(answers):
        if onsets[i] is not None:
            groups.setdefault((a.watch, a.surface), []).append(i)
    for members in groups.values():
        ordered = sorted(members, key=lambda i: onsets[i] or 0)
        for one, other in itertools.pairwise(ordered):
            if (onsets[other] or 0) - (onsets[one] or 0) <= max(cadences_ms[one], cadences_ms[other]):
                together |= {one, other}
        shared: dict[str, list[int]] = {}
        for i in members:
            for name in upstreams.get(answers[i].provider, ()):
                shared.setdefault(name, []).append(i)
        together.update(i for some in shared.values() if len(some) > 1 for i in some)
    return [
        msgspec.structs.replace(a, reasons=(*a.reasons, REASON)) if i in together and REASON not in a.reasons else a
        for i, a in enumerate(answers)
    ]

"""Common causes: a change of several providers at once may be due to their transit, a gateway or the service itself.

Such answers are marked, so that no provider is blamed for what others did.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import msgspec

from aggregator.inference.answer.answer import Answer
from probe.base import times

REASON = "common_cause_possible"
"""The entry in `Answer.reasons` that marks such an answer."""


def _onset_ms(answer: Answer) -> int | None:
    text = answer.onset.estimate if answer.onset else None
    return None if text is None else times.milliseconds(times.moment(text))


def unmarked(answer: Answer) -> Answer:
    """The answer without REASON, which does not follow from its own rows."""
    return msgspec.structs.replace(answer, reasons=tuple(r for r in answer.reasons if r != REASON))


def marked(
    answers: Sequence[Answer], cadences_ms: Sequence[int], upstreams: Mapping[str, Sequence[str]]
) -> list[Answer]:
    """The answers, with REASON added where two providers of a watch and surface changed together.

    Together: their onsets' estimates lie within the greater of their cadences, or both have an onset and an upstream in
    common. `cadences_ms`: of each answer; `upstreams`: names of upstream networks by provider.
    """
    onsets = [_onset_ms(a) for a in answers]
    together: set[int] = set()
    groups: dict[tuple[str, str], list[int]] = {}
    for i, a in enumerate(answers):
        if onsets[i] is not None:
            groups.setdefault((a.watch, a.surface), []).append(i)
    for members in groups.values():
        ordered = sorted(members, key=lambda i: onsets[i] or 0)
        for earlier, later in itertools.pairwise(ordered):
            if (onsets[later] or 0) - (onsets[earlier] or 0) <= max(cadences_ms[earlier], cadences_ms[later]):
                together |= {earlier, later}
        by_upstream: dict[str, list[int]] = {}
        for i in members:
            for name in upstreams.get(answers[i].provider, ()):
                by_upstream.setdefault(name, []).append(i)
        together.update(i for sharing in by_upstream.values() if len(sharing) > 1 for i in sharing)
    return [
        msgspec.structs.replace(a, reasons=(*a.reasons, REASON)) if i in together and REASON not in a.reasons else a
        for i, a in enumerate(answers)
    ]

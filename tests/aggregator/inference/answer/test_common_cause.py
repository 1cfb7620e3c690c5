"""Providers that change together."""

from __future__ import annotations

import msgspec

from aggregator.inference.answer.answer import Answer
from aggregator.inference.answer.common_cause import REASON, marked
from aggregator.inference.onset import infer
from aggregator.inference.rows.parameters import Parameters
from tests.support.measured_fleet import FleetSpec, make

DAY = 86400.0
TEN_MINUTES = Parameters(cadence_s=600)


def answers(*onsets: float) -> list[Answer]:
    """One answer for each onset, providers named by number."""
    specs = [FleetSpec(seed=i, cadence=600, length=4 * DAY, blocks=((t, 1e9),)) for i, t in enumerate(onsets)]
    inferred = [infer(make(spec), TEN_MINUTES) for spec in specs]
    return [msgspec.structs.replace(a, provider=str(i)) for i, a in enumerate(inferred)]


def test_providers_that_change_together_are_marked() -> None:
    """Two onsets within a cadence are marked; a third, later one is not."""
    compared = marked(answers(DAY, DAY + 200, 3 * DAY), [600_000] * 3, {})
    assert [REASON in a.reasons for a in compared] == [True, True, False]


def test_shared_upstream_is_marked() -> None:
    """Two blocked providers behind one transit are marked, though they changed days apart."""
    compared = marked(answers(DAY, 3 * DAY), [600_000] * 2, {"0": ("gateway",), "1": ("gateway",)})
    assert all(REASON in a.reasons for a in compared)

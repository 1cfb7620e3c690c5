"""Sensitivity: the answer with other prior odds, without each of its lines, and without clock correction."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from aggregator.inference.answer.answer import Answer
from aggregator.inference.model import priors
from aggregator.inference.onset import analyse
from aggregator.inference.rows.parameters import Parameters
from aggregator.inference.rows.rows import Rows

MOST_LINES = 20
"""Lines that are left out one at a time, at most: those with the most rows."""


def picked(rows: Rows, kept: npt.NDArray[np.bool_]) -> Rows:
    """The rows where `kept` is true."""
    columns = {
        f.name: getattr(rows, f.name)[kept]
        for f in dataclasses.fields(rows)
        if isinstance(getattr(rows, f.name), np.ndarray)
    }
    return dataclasses.replace(rows, **columns)


def _variants(rows: Rows, parameters: Parameters) -> Iterator[tuple[str, Answer]]:
    prior = priors.PRIOR if parameters.prior is None else parameters.prior
    for change, factor in (("prior odds x 10", 10.0), ("prior odds / 10", 0.1)):
        odds = factor * prior / (1 - prior)
        yield change, analyse(rows, dataclasses.replace(parameters, prior=odds / (1 + odds))).answer
    names, counts = np.unique(rows.line, return_counts=True)
    if names.size > 1:
        for i in np.argsort(-counts, kind="stable")[:MOST_LINES].tolist():
            yield f"without line {names[i]}", analyse(picked(rows, rows.line != names[i]), parameters).answer
    yield "clocks not corrected", analyse(rows, parameters, correct_clocks=False).answer


def sensitivity_of(rows: Rows, parameters: Parameters) -> list[dict[str, object]]:
    """For each changed assumption: {"change", "state", "p_block", "onset"}; `onset` as in the answer."""
    return [
        {"change": change, "state": a.state, "p_block": a.p_block, "onset": a.onset}
        for change, a in _variants(rows, parameters)
    ]

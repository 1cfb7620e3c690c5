"""The onset: from the rows of one provider and surface to an answer. A pure function of rows and parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass

from aggregator.inference.answer.answer import Answer
from aggregator.inference.answer.describe import LIKELY, describe, no_answer
from aggregator.inference.model import episodes, grid, likelihood, posterior, priors
from aggregator.inference.model.counts import LineCounts
from aggregator.inference.model.locate import Located, locate
from aggregator.inference.rows.clean import clean
from aggregator.inference.rows.digest import digest
from aggregator.inference.rows.parameters import Parameters
from aggregator.inference.rows.rows import Rows

__all__ = ["Analysis", "analyse", "digest", "infer"]


def p_block(rough: posterior.WeighedGrid, spans: episodes.EpisodeSet | None, prior: float) -> tuple[float, float]:
    """The probability of any block in the window, and of one that comes and goes.

    Against none, or outages that no control showed.
    """
    none = rough.lines.no_block()
    once = (rough.top - none) * likelihood.STEP
    logs = {
        "none": math.log1p(-prior),
        "outage": math.log1p(-prior) + _log(rough.outage) + once,
        "block": math.log(prior) + math.log1p(-priors.REPEATING) + _log(float(rough.mass.sum())) + once,
    }
    if spans is not None:
        logs["outages"] = math.log1p(-prior) + spans.outages
        logs["repeating"] = math.log(prior) + spans.support
    top = max(logs.values())
    weights = {name: math.exp(value - top) for name, value in logs.items()}
    total = sum(weights.values())
    repeating = weights.get("repeating", 0.0) / total
    return weights["block"] / total + repeating, repeating


def _log(mass: float) -> float:
    return math.log(max(mass, 1e-300))


FEWEST = 8
"""With fewer measurements nothing is said."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """An answer, with what it was drawn from."""

    answer: Answer
    found: tuple[Located, ...]
    """The posteriors of its episodes, in order of time."""
    p_block: float
    cadence_ms: int


def analyse(rows: Rows, parameters: Parameters, *, correct_clocks: bool = True) -> Analysis:
    """When the service stopped working on this provider, if it did, with the posteriors behind it."""
    fit = clean(rows, parameters, correct_clocks=correct_clocks)
    if fit.at.size < FEWEST:
        nothing = no_answer(rows, parameters, fit, f"fewer than {FEWEST} measurements can speak")
        return Analysis(nothing, (), 0.0, fit.cadence_ms)
    summary = LineCounts.of(fit)
    found, p, lines = judge(summary, parameters)
    answer = describe(rows, parameters, fit, summary, lines, found, p)
    return Analysis(answer, tuple(found) if answer.onset else (), p, fit.cadence_ms)


def judge(summary: LineCounts, parameters: Parameters) -> tuple[list[Located], float, posterior.LineLikelihoods]:
    """The episodes, the probability of a block, and each line's part, from the summary of the rows that may speak.

    Its cost hardly depends on how many rows there are.
    """
    first, last = int(summary.pooled[0]), int(summary.pooled[-1])
    scales = priors.Scales(first, last, float(summary.cadence_ms), parameters.lag_s * 1000)
    b = grid.coarse(summary)
    rough = posterior.weigh(summary, scales, b, b, not_yet=True)
    spans = episodes.find(summary, scales, rough.lines)
    prior = priors.PRIOR if parameters.prior is None else parameters.prior
    p, repeating = p_block(rough, spans, prior)
    if p < LIKELY:
        return [], p, rough.lines
    if spans is not None and repeating > p / 2:
        return episodes.locate_all(summary, scales, rough, spans), p, rough.lines
    return [locate(summary, scales, rough)], p, rough.lines


def infer(rows: Rows, parameters: Parameters) -> Answer:
    """When the service stopped working on this provider, if it did.

    Pure: the same rows in any order give the same answer.
    """
    return analyse(rows, parameters).answer

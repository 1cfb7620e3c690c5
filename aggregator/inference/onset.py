"""The onset: from the rows of one provider and surface to an answer. A pure function of rows and parameters.

`infer` cleans the rows (`rows`), computes the posterior (`model`) and describes it (`answer`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from aggregator.inference.answer.answer import Answer
from aggregator.inference.answer.describe import LIKELY, describe, no_answer
from aggregator.inference.model import episodes, grid, likelihood, posterior, priors
from aggregator.inference.model.counts import LineCounts
from aggregator.inference.model.locate import Located, locate
from aggregator.inference.rows.clean import clean
from aggregator.inference.rows.parameters import Parameters
from aggregator.inference.rows.rows import Rows

FEWEST = 8
"""With fewer usable measurements the answer is `insufficient`."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """An answer, with the posteriors behind it."""

    answer: Answer
    episodes: tuple[Located, ...]
    """The posteriors of its episodes, in order of time."""
    p_block: float
    """Not rounded, unlike the answer's."""
    cadence_ms: int


def p_block(
    joint: posterior.GridPosterior, episode_set: episodes.EpisodeSet | None, prior: float
) -> tuple[float, float]:
    """The posterior probabilities of any block in the window, and of one that comes and goes.

    The hypotheses compared: no block, one block, one hidden outage, and if there is an episode set, a repeating block
    and as many hidden outages. `prior`: of any block.
    """
    none = joint.lines.no_block()
    log_ratio = (joint.top - none) * likelihood.STEP
    logs = {
        "none": math.log1p(-prior),
        "outage": math.log1p(-prior) + _log(joint.outage) + log_ratio,
        "block": math.log(prior) + math.log1p(-priors.REPEATING) + _log(float(joint.mass.sum())) + log_ratio,
    }
    if episode_set is not None:
        logs["outages"] = math.log1p(-prior) + episode_set.log_outages
        logs["repeating"] = math.log(prior) + episode_set.log_repeating
    top = max(logs.values())
    weights = {name: math.exp(value - top) for name, value in logs.items()}
    total = sum(weights.values())
    repeating = weights.get("repeating", 0.0) / total
    return weights["block"] / total + repeating, repeating


def _log(mass: float) -> float:
    return math.log(max(mass, posterior.TINY))


def analyse(rows: Rows, parameters: Parameters, *, correct_clocks: bool = True) -> Analysis:
    """When the service stopped working on this provider, if it did, with the posteriors behind the answer."""
    cleaned = clean(rows, parameters, correct_clocks=correct_clocks)
    if cleaned.at.size < FEWEST:
        answer = no_answer(rows, parameters, cleaned, f"fewer than {FEWEST} measurements can speak")
        return Analysis(answer, (), 0.0, cleaned.cadence_ms)
    counts = LineCounts.of(cleaned)
    located, p, lines = judge(counts, parameters)
    answer = describe(rows, parameters, cleaned, counts, lines, located, p)
    return Analysis(answer, tuple(located) if answer.onset else (), p, cleaned.cadence_ms)


def judge(counts: LineCounts, parameters: Parameters) -> tuple[list[Located], float, posterior.LineLikelihoods]:
    """The episodes, the probability of a block, and each line's likelihoods without one, from the counts.

    No episodes where the probability is below LIKELY. The cost hardly depends on the number of rows.
    """
    first, last = int(counts.all_times[0]), int(counts.all_times[-1])
    scales = priors.Scales(first, last, float(counts.cadence_ms), parameters.lag_s * 1000)
    b = grid.coarse(counts)
    joint = posterior.evaluate(counts, scales, b, b, not_yet=True)
    episode_set = episodes.find(counts, scales, joint.lines)
    prior = priors.PRIOR if parameters.prior is None else parameters.prior
    p, repeating = p_block(joint, episode_set, prior)
    if p < LIKELY:
        return [], p, joint.lines
    if episode_set is not None and repeating > p / 2:
        return episodes.locate_all(counts, scales, joint.lines, episode_set), p, joint.lines
    return [locate(counts, scales, joint)], p, joint.lines


def infer(rows: Rows, parameters: Parameters) -> Answer:
    """When the service stopped working on this provider, if it did.

    Pure: the same rows in any order give the same answer.
    """
    return analyse(rows, parameters).answer

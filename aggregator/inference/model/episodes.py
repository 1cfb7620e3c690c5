"""More than one block: intermittent and scheduled ones, each episode with its own interval.

The stretches of rows that fail most are taken together as a set. The set then competes with a single block, and with as
many hidden outages (see `priors`). Sets are found by a search, not summed over; docs/method.md, "More than one block".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from aggregator.inference.model import grid, likelihood, posterior, priors
from aggregator.inference.model.alternatives import Alternatives
from aggregator.inference.model.counts import LineCounts
from aggregator.inference.model.likelihood import Floats, Ints
from aggregator.inference.model.locate import Located, locate

MOST = 24
"""Episodes at most."""
THRESHOLDS = (0.3, 0.45, 0.65)
"""Shares of failing runs above which stretches are taken for separate episodes; the set that explains most is kept.

A high threshold separates blocks that lie close together; a low one does not split a block that not all lines see.
"""


@dataclass(frozen=True, slots=True)
class EpisodeSet:
    """Several supposed blocks, sorted and disjoint, ms; the last may end after the last row."""

    starts: Ints
    ends: Ints
    log_repeating: float
    """Log of prior times likelihood if they are episodes of one block, against no block; nats."""
    log_outages: float
    """The same if each were a hidden outage."""


def _log_likelihood(counts: LineCounts, lines: posterior.LineLikelihoods, k_in: Ints, n_in: Ints) -> float:
    """Log likelihood of all lines, `k_in` of `n_in` runs inside blocks having failed; kinds summed out, nats."""
    affected = likelihood.log_affected(k_in, n_in, counts.k, counts.n, int(counts.n.max()))
    untouched = lines.untouched()
    top = np.maximum(affected, untouched)
    by_kind = likelihood.quantise(
        np.log(likelihood.AFFECTED * np.exp(affected - top) + np.exp(untouched - top)) + top
    ).sum(axis=1)
    high = int(by_kind.max())
    return high * likelihood.STEP + math.log(
        float(np.array(likelihood.KIND_WEIGHTS) @ np.exp((by_kind - high) * likelihood.STEP))
    )


def find(counts: LineCounts, scales: priors.Scales, lines: posterior.LineLikelihoods) -> EpisodeSet | None:
    """The episodes that the rows suggest, or None for fewer than two."""
    sets = [episodes for threshold in THRESHOLDS if (episodes := _find(counts, scales, lines, threshold))]
    return max(sets, key=lambda episodes: episodes.log_repeating, default=None)


def _find(
    counts: LineCounts, scales: priors.Scales, lines: posterior.LineLikelihoods, threshold: float
) -> EpisodeSet | None:
    stretches = grid.worst_stretches(counts.all_outcomes, MOST, threshold)
    if len(stretches) < 2:
        return None
    starts = counts.all_times[[a for a, _ in stretches]]
    ends = counts.all_times[[b for _, b in stretches]] + 1
    k0, n0 = counts.before(starts)
    k1, n1 = counts.before(ends)
    k, n = (k1 - k0).astype(np.int64), (n1 - n0).astype(np.int64)
    chosen = _choose(counts, scales, lines, k, n, (ends - starts).astype(float))
    if len(chosen) < 2:
        return None
    order = sorted(chosen, key=lambda i: int(starts[i]))
    gain = _log_likelihood(counts, lines, k[:, order].sum(axis=1), n[:, order].sum(axis=1))
    gain -= lines.no_block() * likelihood.STEP
    lengths = (ends - starts)[order].astype(float)
    cell = 2 * math.log(scales.cadence / max(1, len(counts.times)))  # both ends: a density times the rows' mean gap
    rate, outage_rate = math.log(len(order) / scales.window), math.log(priors.OUTAGES / scales.window)
    block = sum(rate + priors.log_block_density(d, scales) + cell for d in lengths.tolist())
    outage = sum(outage_rate + priors.log_outage_density(d, scales) + cell for d in lengths.tolist())
    return EpisodeSet(starts[order], ends[order], math.log(priors.REPEATING) + gain + block, gain + outage)


def _choose(
    counts: LineCounts, scales: priors.Scales, lines: posterior.LineLikelihoods, k: Ints, n: Ints, lengths: Floats
) -> list[int]:
    """Which stretches are episodes: of the worst one, the worst two and so on, the set that explains most.

    Whole sets are compared, because one short block of many explains little alone. Of the set, stretches that are more
    likely something else are then removed (`Alternatives`).
    """
    cost = 2 * math.log(scales.window / scales.cadence)
    scores = [
        _log_likelihood(counts, lines, k[:, :count].sum(axis=1), n[:, :count].sum(axis=1)) - count * cost
        for count in range(1, lengths.size + 1)
    ]
    best = 1 + int(np.argmax(scores))
    return Alternatives(counts, scales, lines.constant, k, n, lengths).keep_blocks(list(range(best)))


def locate_all(
    counts: LineCounts, scales: priors.Scales, lines: posterior.LineLikelihoods, episodes: EpisodeSet
) -> list[Located]:
    """Each episode's onset and lift, the others taken as given; none reaches past the middle of the gap to the next."""
    k0, n0 = counts.before(episodes.starts)
    k1, n1 = counts.before(episodes.ends)
    k, n = k1 - k0, n1 - n0
    located = []
    for i in range(episodes.starts.size):
        last = i == episodes.starts.size - 1
        low = int(episodes.ends[i - 1] + episodes.starts[i]) // 2 if i else scales.first
        high = scales.last if last else int(episodes.ends[i] + episodes.starts[i + 1]) // 2
        others = posterior.OtherBlocks(k.sum(axis=1) - k[:, i], n.sum(axis=1) - n[:, i])
        b = grid.between(counts, low, high, (int(episodes.starts[i]), int(episodes.ends[i])))
        joint = posterior.evaluate(counts, scales, b, b, not_yet=last, lines=lines, others=others)
        if not last:
            joint = posterior.with_not_yet(joint)
        if float(joint.mass.sum()) > 0:
            located.append(locate(counts, scales, joint, others))
    return located

"""More than one block: intermittent and scheduled ones, each episode with its own interval.

The stretches of rows that fail most are supposed together. The set then competes with a single block, and with as many
outages that no control showed.
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
APART = (0.3, 0.45, 0.65)
"""Shares of failing runs above which stretches are taken for episodes of their own. A high one keeps windows apart
that lie close together, a low one holds those together that not all lines see; the set that explains most is kept."""


@dataclass(frozen=True, slots=True)
class EpisodeSet:
    """Several supposed blocks, sorted and disjoint, ms; the last may end after the last row."""

    starts: Ints
    ends: Ints
    support: float
    """Log of the mass under a block that comes and goes, against no block at all; nats."""
    outages: float
    """The same if each were an outage that no control showed."""


def _likelihood(summary: LineCounts, lines: posterior.LineLikelihoods, k_in: Ints, n_in: Ints) -> float:
    """Log likelihood of all lines with these counts inside, the kinds of block mixed; nats."""
    follows = likelihood.following(k_in, n_in, summary.k, summary.n, int(summary.n.max()))
    apart = lines.apart()
    top = np.maximum(follows, apart)
    by_kind = likelihood.quantise(np.log(likelihood.AFFECTED * np.exp(follows - top) + np.exp(apart - top)) + top).sum(
        axis=1
    )
    high = int(by_kind.max())
    return high * likelihood.STEP + math.log(
        float(np.array(likelihood.BLOCK_WEIGHTS) @ np.exp((by_kind - high) * likelihood.STEP))
    )


def find(summary: LineCounts, scales: priors.Scales, lines: posterior.LineLikelihoods) -> EpisodeSet | None:
    """The episodes that the rows suggest, or None for fewer than two."""
    found = [spans for share in APART if (spans := _find(summary, scales, lines, share))]
    return max(found, key=lambda spans: spans.support, default=None)


def _find(
    summary: LineCounts, scales: priors.Scales, lines: posterior.LineLikelihoods, share: float
) -> EpisodeSet | None:
    stretches = grid.worst_stretches(summary.pooled_runs, MOST, share)
    if len(stretches) < 2:
        return None
    starts = summary.pooled[[a for a, _ in stretches]]
    ends = summary.pooled[[b for _, b in stretches]] + 1
    k0, n0 = summary.before(starts)
    k1, n1 = summary.before(ends)
    k, n = (k1 - k0).astype(np.int64), (n1 - n0).astype(np.int64)
    chosen = _choose(summary, scales, lines, k, n, (ends - starts).astype(float))
    if len(chosen) < 2:
        return None
    order = sorted(chosen, key=lambda i: int(starts[i]))
    count = len(order)
    gain = _likelihood(summary, lines, k[:, order].sum(axis=1), n[:, order].sum(axis=1))
    gain -= lines.no_block() * likelihood.STEP
    room = 2 * math.log(scales.cadence / max(1, len(summary.times)))
    lengths = (ends - starts)[order].astype(float)
    block = sum(math.log(count / scales.window) + priors.log_block(d, scales) + room for d in lengths.tolist())
    out = sum(math.log(priors.OUTAGES / scales.window) + priors.log_outage(d, scales) + room for d in lengths.tolist())
    return EpisodeSet(starts[order], ends[order], math.log(priors.REPEATING) + gain + block, gain + out)


def _choose(
    summary: LineCounts, scales: priors.Scales, lines: posterior.LineLikelihoods, k: Ints, n: Ints, lengths: Floats
) -> list[int]:
    """Which stretches are episodes: of the worst one, the worst two and so on, the set that explains most.

    Sets, since one window of many explains little alone. Those likelier to be something else are left out.
    """
    cost = 2 * math.log(scales.window / scales.cadence)
    sets = [
        _likelihood(summary, lines, k[:, :m].sum(axis=1), n[:, :m].sum(axis=1)) - m * cost
        for m in range(1, lengths.size + 1)
    ]
    count = 1 + int(np.argmax(sets))
    return Alternatives(summary, scales, lines.fixed, k, n, lengths).left_out(list(range(count)))


def locate_all(
    summary: LineCounts, scales: priors.Scales, rough: posterior.WeighedGrid, spans: EpisodeSet
) -> list[Located]:
    """Each episode's onset and lift, the others taken as given; none reaches past the middle of a gap."""
    k0, n0 = summary.before(spans.starts)
    k1, n1 = summary.before(spans.ends)
    k, n = k1 - k0, n1 - n0
    found = []
    for i in range(spans.starts.size):
        last = i == spans.starts.size - 1
        low = int(spans.ends[i - 1] + spans.starts[i]) // 2 if i else scales.first
        high = scales.last if last else int(spans.ends[i] + spans.starts[i + 1]) // 2
        extra = posterior.OtherBlocks(k.sum(axis=1) - k[:, i], n.sum(axis=1) - n[:, i])
        b = grid.between(summary, low, high, (int(spans.starts[i]), int(spans.ends[i])))
        weighed = posterior.weigh(summary, scales, b, b, not_yet=last, lines=rough.lines, extra=extra)
        if not last:
            weighed = posterior.closed(weighed)
        if float(weighed.mass.sum()) > 0:
            found.append(locate(summary, scales, weighed, extra))
    return found

"""Competing explanations of a stretch of failures: one more block, a private change of one line, or a hidden outage.

A hidden outage hits all lines and no control shows it (see `priors`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aggregator.inference.model import likelihood, priors
from aggregator.inference.model.counts import LineCounts
from aggregator.inference.model.likelihood import ConstantRateTerms, Floats, Ints

NO_LINE = -1


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Stretches of time with many failures, to be compared as blocks, private changes and hidden outages."""

    counts: LineCounts
    scales: priors.Scales
    constant: ConstantRateTerms
    k: Ints
    """Failures of each series in each stretch; (series, stretches)."""
    n: Ints
    """Runs of each series in each stretch; (series, stretches)."""
    lengths: Floats
    """Of the stretches, ms."""

    def keep_blocks(self, stretches: list[int]) -> list[int]:
        """Those of the `stretches` (indices) that are more likely a block than anything else; at least one is kept.

        The others are removed one by one, the least likely block first. Each line may explain one stretch by a private
        change.
        """
        unused = np.ones(self.counts.n.size, bool)
        while len(stretches) > 1:
            compared = [(i, *self._odds(i, [m for m in stretches if m != i], unused)) for i in stretches]
            worst, line, odds = max(compared, key=lambda item: item[2])
            if odds <= 0:
                break
            if line != NO_LINE:
                unused[line] = False
            stretches = [i for i in stretches if i != worst]
        return stretches

    def _odds(self, i: int, others: list[int], unused: npt.NDArray[np.bool_]) -> tuple[int, float]:
        """The line whose private change best explains stretch `i` (NO_LINE: a hidden outage does), and its log odds.

        The odds are those of this explanation against one more block, nats. `others`: the stretches taken for blocks.
        `unused`: which lines have not explained a stretch by a private change yet.
        """
        counts, k, n = self.counts, self.k[:, i], self.n[:, i]
        k_other, n_other = self.k[:, others].sum(axis=1), self.n[:, others].sum(axis=1)
        length, scales = float(self.lengths[i]), self.scales
        one_more = math.log(priors.REPEATING) if len(others) == 1 else math.log(1 + len(others))
        block = one_more + priors.log_block_density(length, scales)
        outage = math.log(priors.OUTAGES) + priors.log_outage_density(length, scales)
        without = self._lines(k_other, n_other, counts.k, counts.n)
        shared = float((self._lines(k_other + k, n_other + n, counts.k, counts.n) - without).sum())
        alone = likelihood.log_bb(k, n, likelihood.FULL, int(counts.n.max())) * likelihood.NANO
        alone = alone + self._lines(k_other, n_other, counts.k - k, counts.n - n) - without
        line = int(np.where(unused, alone, -np.inf).argmax())
        length_density = np.logaddexp(
            math.log(likelihood.BRIEF) + priors.log_outage_density(length, scales),
            math.log(1 - likelihood.BRIEF) + priors.log_block_density(length, scales),
        )
        private = -math.inf
        if unused[line]:
            private = math.log(likelihood.PRIVATE) + float(length_density) + float(alone[line])
        if outage + shared >= private:
            return NO_LINE, outage - block
        return line, private - shared - block

    def _lines(self, k_in: Ints, n_in: Ints, k: Ints, n: Ints) -> Floats:
        """Log likelihood of each line, its class summed out, without private changes; (series,), nats.

        `k_in` of `n_in` runs failed inside the blocks, `k` of `n` in all, of the runs that the blocks are to explain.
        """
        full, weak = likelihood.log_affected(k_in, n_in, k, n, int(self.counts.n.max()))
        affected = np.logaddexp(
            full + math.log(likelihood.KIND_WEIGHTS[0]), weak + math.log(likelihood.KIND_WEIGHTS[1])
        )
        terms = (
            math.log(likelihood.AFFECTED) + affected,
            math.log(likelihood.UNAFFECTED) + self.constant.unaffected,
            math.log(likelihood.FAILING) + self.constant.failing,
            math.log(likelihood.NOISY) + self.constant.noisy,
        )
        lines: Floats = np.logaddexp.reduce(terms, axis=0)
        return lines

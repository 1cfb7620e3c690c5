"""What else a stretch of failures may be than one more block: a line's own trouble, or an outage no control showed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aggregator.inference.model import likelihood, priors
from aggregator.inference.model.counts import LineCounts
from aggregator.inference.model.likelihood import Floats, Ints, UnaffectedTerms

NOBODY = -1


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Stretches of time with many failures, each of which may be a block, one line's own trouble, or an outage."""

    summary: LineCounts
    scales: priors.Scales
    fixed: UnaffectedTerms
    k: Ints
    """Failures of each series in each stretch; `n` runs. (series, stretches)"""
    n: Ints
    lengths: Floats
    """Of the stretches, ms."""

    def left_out(self, chosen: list[int]) -> list[int]:
        """The stretches that are likelier a block than anything else. A line has trouble of its own once.

        The others are left out one by one, the least likely to be a block first.
        """
        free = np.ones(self.summary.n.size, bool)
        while len(chosen) > 1:
            found = [(i, *self._odds(i, [m for m in chosen if m != i], free)) for i in chosen]
            worst, line, odds = max(found, key=lambda one: one[2])
            if odds <= 0:
                break
            if line != NOBODY:
                free[line] = False
            chosen = [i for i in chosen if i != worst]
        return chosen

    def _odds(self, i: int, others: list[int], free: npt.NDArray[np.bool_]) -> tuple[int, float]:
        """The log odds that stretch `i` is something else than one more block, nats; and whose, or NOBODY's.

        `others`: the stretches that are taken for blocks. `free`: lines that have had no trouble of their own yet.
        """
        s, k, n = self.summary, self.k[:, i], self.n[:, i]
        k_other, n_other = self.k[:, others].sum(axis=1), self.n[:, others].sum(axis=1)
        length, scales = float(self.lengths[i]), self.scales
        one_more = math.log(priors.REPEATING) if len(others) == 1 else math.log(1 + len(others))
        block = one_more + priors.log_block(length, scales)
        outage = math.log(priors.OUTAGES) + priors.log_outage(length, scales)
        without = self._line(k_other, n_other, s.k, s.n)
        shared = float((self._line(k_other + k, n_other + n, s.k, s.n) - without).sum())
        alone = likelihood.log_bb(k, n, likelihood.FULL, int(s.n.max())) * likelihood.NANO
        alone = alone + self._line(k_other, n_other, s.k - k, s.n - n) - without
        line = int(np.where(free, alone, -np.inf).argmax())
        own = np.logaddexp(
            math.log(likelihood.BRIEF) + priors.log_outage(length, scales),
            math.log(1 - likelihood.BRIEF) + priors.log_block(length, scales),
        )
        private = math.log(likelihood.PRIVATE) + float(own) + float(alone[line]) if free[line] else -math.inf
        if outage + shared >= private:
            return NOBODY, outage - block
        return line, private - shared - block

    def _line(self, k_in: Ints, n_in: Ints, k: Ints, n: Ints) -> Floats:
        """Log likelihood of each line: following blocks in which it failed `k_in` of `n_in` times, or never sound."""
        full, weak = likelihood.following(k_in, n_in, k, n, int(self.summary.n.max()))
        follows = np.logaddexp(
            full + math.log(likelihood.BLOCK_WEIGHTS[0]), weak + math.log(likelihood.BLOCK_WEIGHTS[1])
        )
        terms = (
            math.log(likelihood.AFFECTED) + follows,
            math.log(likelihood.UNAFFECTED) + self.fixed.unaffected,
            math.log(likelihood.FAILING) + self.fixed.failing,
            math.log(likelihood.NOISY) + self.fixed.noisy,
        )
        line: Floats = np.logaddexp.reduce(terms, axis=0)
        return line

"""How likely a line's counts of failures are under each thing that may be the matter with it.

A line's series enters only through counts: `k` failures of `n` runs inside a supposed block and outside it.
BB(k, n; a, b) is the beta-binomial marginal likelihood of one sequence with k failures in n runs, under a failure
rate drawn from Beta(a, b):  B(a + k, b + n - k) / B(a, b).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NANO = 1e-9
"""Tables hold integers of 1e-9 nats: sums of them are exact, so they do not depend on order or processor."""
STEP = 1e-3
"""Likelihoods of lines are rounded to this many nats before they are added up, for the same reason."""

AFFECTED, UNAFFECTED, FAILING, NOISY, PRIVATE = 0.82, 0.09, 0.02, 0.02, 0.05
"""Prior weights of what a line can be: hit by the block, spared by it, always failing, failing at a rate of its own,
or changing once by itself. The last caps what one line can prove."""
BRIEF = 0.6
"""Of the lines that change by themselves, the share with a short outage of their own that no control showed."""
SHAKY = 0.05
"""Of the lines that follow the block, the share that also fail often outside it."""
QUIET, SHAKY_OUT, DEAD, ANY = (1.0, 25.0), (1.5, 3.0), (40.0, 1.0), (1.0, 1.0)
"""Beta priors of a failure rate: a sound line outside a block, a shaky one, one that always fails, anything."""
FULL, WEAK = (7.0, 0.7), (2.0, 2.5)
"""Beta priors of the failure rate inside a block that is complete, and inside one that is not."""
BLOCKS = (FULL, WEAK)
BLOCK_WEIGHTS = (0.8, 0.2)


@functools.lru_cache(maxsize=64)
def rising(a: float, size: int) -> Ints:
    """log(Gamma(a + i) / Gamma(a)) for i in 0..size, in 1e-9 nats."""
    steps = np.rint(np.log(a + np.arange(size)) / NANO).astype(np.int64)
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(steps)))


def log_bb(k: Ints, n: Ints, beta: tuple[float, float], largest: int) -> Ints:
    """Log BB(k, n; a, b) in 1e-9 nats; arrays of one shape, no n above `largest`."""
    size = 1 << max(10, int(largest).bit_length())
    a, b = beta
    log: Ints = rising(a, size)[k] + rising(b, size)[n - k] - rising(a + b, size)[n]
    return log


@dataclass(frozen=True, slots=True)
class UnaffectedTerms:
    """What a line's likelihood is when no block is supposed; nats, one number a line (shape: lines)."""

    unaffected: Floats
    failing: Floats
    noisy: Floats

    @classmethod
    def of(cls, k: Ints, n: Ints) -> UnaffectedTerms:
        """From all failures `k` of all runs `n` of each line."""
        largest = int(n.max(initial=0))
        quiet, shaky, dead, any_ = (log_bb(k, n, b, largest) * NANO for b in (QUIET, SHAKY_OUT, DEAD, ANY))
        unaffected: Floats = np.logaddexp(np.log(1 - SHAKY) + quiet, np.log(SHAKY) + shaky)
        return cls(unaffected, dead.astype(np.float64), any_.astype(np.float64))

    def highest(self) -> Floats:
        """The greatest of the three for each line."""
        return np.maximum(self.unaffected, np.maximum(self.failing, self.noisy))


def following(k_in: Ints, n_in: Ints, k: Ints, n: Ints, largest: int) -> Floats:
    """Log likelihood of lines that follow a block, for each kind of block; nats.

    `k_in` of `n_in` inside and `k` of `n` in all, in any shape; the answer has the kinds of block as its first axis.
    """
    k_out, n_out = k - k_in, n - n_in
    quiet = log_bb(k_out, n_out, QUIET, largest)
    shaky = log_bb(k_out, n_out, SHAKY_OUT, largest)
    outside = quiet * NANO + np.log((1 - SHAKY) + SHAKY * np.exp(np.minimum((shaky - quiet) * NANO, 600.0)))
    return np.stack([log_bb(k_in, n_in, block, largest) * NANO + outside for block in BLOCKS])


def quantise(nats: Floats) -> Ints:
    """Nats as whole numbers of STEP."""
    return np.rint(nats / STEP).astype(np.int64)

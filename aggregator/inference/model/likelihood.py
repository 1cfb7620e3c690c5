"""The likelihood of one line's counts, for each class that the line may belong to.

A line's rows enter only through counts: n runs and k failures, inside a supposed block and outside it.
BB(k, n; a, b) is the beta-binomial marginal likelihood of one sequence with k failures in n runs, given a failure
rate drawn from Beta(a, b):  BB(k, n; a, b) = B(a + k, b + n - k) / B(a, b), B being the beta function.
The table "Likelihood" in docs/method.md gives the classes, their weights and their likelihoods.
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
"""Log likelihoods of lines are rounded to this many nats before they are summed, for the same reason."""

AFFECTED, UNAFFECTED, FAILING, NOISY, PRIVATE = 0.82, 0.09, 0.02, 0.02, 0.05
"""Prior weights of a line's class: hit by the block, not hit by it, always failing, failing at a constant rate of its
own, or changing once by itself (a private change). The last bounds the evidence that one line alone can give."""
BRIEF = 0.6
"""Of the private changes, the share that are short outages of the one line which its control missed."""
SHAKY = 0.05
"""Of the affected and of the unaffected lines, the share that also fail often outside a block."""
QUIET, SHAKY_OUT, DEAD, ANY = (1.0, 25.0), (1.5, 3.0), (40.0, 1.0), (1.0, 1.0)
"""Beta priors (a, b) of a failure rate: a sound line outside a block, a shaky one, an always failing one, uniform."""
FULL, WEAK = (7.0, 0.7), (2.0, 2.5)
"""Beta priors of the failure rate inside a full block and inside a weak one, which lets part of the runs through."""
BLOCK_KINDS = (FULL, WEAK)
KIND_WEIGHTS = (0.8, 0.2)
"""Prior weights of the kinds."""


@functools.lru_cache(maxsize=64)
def log_rising(a: float, size: int) -> Ints:
    """Log of the rising factorial, log(Gamma(a + i) / Gamma(a)), for i in 0..size; 1e-9 nats."""
    steps = np.rint(np.log(a + np.arange(size)) / NANO).astype(np.int64)
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(steps)))


def log_bb(k: Ints, n: Ints, beta: tuple[float, float], largest: int) -> Ints:
    """Log BB(k, n; a, b) in 1e-9 nats, with (a, b) = `beta`; arrays of one shape, no n above `largest`."""
    size = 1 << max(10, int(largest).bit_length())
    a, b = beta
    log: Ints = log_rising(a, size)[k] + log_rising(b, size)[n - k] - log_rising(a + b, size)[n]
    return log


@dataclass(frozen=True, slots=True)
class ConstantRateTerms:
    """Each line's log likelihood in the classes whose failure rate does not change; (series,), nats."""

    unaffected: Floats
    failing: Floats
    noisy: Floats

    @classmethod
    def of(cls, k: Ints, n: Ints) -> ConstantRateTerms:
        """From all failures `k` of all runs `n` of each line."""
        largest = int(n.max(initial=0))
        quiet, shaky, dead, any_ = (log_bb(k, n, b, largest) * NANO for b in (QUIET, SHAKY_OUT, DEAD, ANY))
        unaffected: Floats = np.logaddexp(np.log(1 - SHAKY) + quiet, np.log(SHAKY) + shaky)
        return cls(unaffected, dead.astype(np.float64), any_.astype(np.float64))

    def highest(self) -> Floats:
        """The greatest of the three for each line."""
        return np.maximum(self.unaffected, np.maximum(self.failing, self.noisy))


def log_affected(k_in: Ints, n_in: Ints, k: Ints, n: Ints, largest: int) -> Floats:
    """Log likelihood of affected lines, for each kind of block; nats.

    `k_in` of `n_in` runs failed inside the block, `k` of `n` in all; arrays of any one shape, no n above `largest`.
    The result has the kinds of block (BLOCK_KINDS) as its first axis.
    """
    k_out, n_out = k - k_in, n - n_in
    quiet = log_bb(k_out, n_out, QUIET, largest)
    shaky = log_bb(k_out, n_out, SHAKY_OUT, largest)
    outside = quiet * NANO + np.log((1 - SHAKY) + SHAKY * np.exp(np.minimum((shaky - quiet) * NANO, 600.0)))
    return np.stack([log_bb(k_in, n_in, kind, largest) * NANO + outside for kind in BLOCK_KINDS])


def quantise(nats: Floats) -> Ints:
    """Nats as whole numbers of STEP."""
    return np.rint(nats / STEP).astype(np.int64)

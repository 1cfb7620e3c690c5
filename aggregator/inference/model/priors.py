"""The priors: how often blocks and other troubles occur, and how long they last.

Each constant is a decision that can be argued with; docs/method.md gives the reasons. Lengths and times are ms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from aggregator.inference.model.likelihood import Floats, Ints

PRIOR = 0.25
"""Probability of a block in the window. A per-country product decision; `Parameters.prior` overrides it."""
BEFORE_START = 0.1
"""Given a block, the probability that it began before the first row."""
WEAK_BEFORE = 0.1
"""Factor for a weak block that began before the first row, because lines that are simply bad look the same."""
LASTING = 0.5
"""Given a block, the probability that it lasts to the end of the window. Otherwise see `log_block_density`."""
REPEATING = 0.02
"""Given a block, the probability that it is intermittent or scheduled (several episodes)."""
OUTAGES = 0.03
"""Expected number, in a window, of hidden outages: outages of all lines that no control shows."""
OUTAGE_S = 2400.0
"""Mean length of a hidden outage, at most; see `Scales.outage`."""
LAGS = (0.0, 1.0, 3.0)
LAG_WEIGHTS = (0.65, 0.17, 0.18)
"""The delay with which lines see a block is zero, or exponential with this many times `Scales.lag` as its mean; and
the prior weights of these. The delay comes from resolver caches, which go on serving the earlier answer for a while."""
PROMPT = 0.1
"""Given an exponential delay, the share of lines that see the change without delay all the same."""


@dataclass(frozen=True, slots=True)
class Scales:
    """The times and lengths that the priors depend on, ms. `first` and `last` are the first and last row's times."""

    first: int
    last: int
    cadence: float
    lag: float

    @property
    def window(self) -> float:
        """The length of the observed window, at least one cadence."""
        return max(float(self.last - self.first), self.cadence)

    @property
    def outage(self) -> float:
        """o, the mean length of a hidden outage: twice the lag, at least a cadence, at most OUTAGE_S."""
        return min(OUTAGE_S * 1000, max(self.cadence, 2 * self.lag))

    def lags(self) -> list[tuple[float, float]]:
        """(mean delay, prior weight) of each delay with which lines see a block; the first is zero."""
        if self.lag <= 0:
            return [(0.0, 1.0)]
        return [(factor * self.lag, weight) for factor, weight in zip(LAGS, LAG_WEIGHTS, strict=True)]


def log_block_density(length: float, s: Scales) -> float:
    """Log prior density of the length of a block that ended: 1 / ((length + o) log(1 + window / o)), per ms; nats."""
    return -math.log((length + s.outage) * math.log1p(s.window / s.outage))


def log_outage_density(length: float, s: Scales) -> float:
    """Log prior density of the length of a hidden outage: exponential with mean o, per ms; nats."""
    return -length / s.outage - math.log(s.outage)


def onset_mass(b: Ints, s: Scales) -> Floats:
    """Prior mass of each onset cell: BEFORE_START before the first row (if the grid begins there), then uniform."""
    before = BEFORE_START if b[0] <= s.first else 0.0
    return np.concatenate((np.array([before]), (1 - BEFORE_START) * np.diff(b) / s.window))


def _middles(onsets: Ints) -> Floats:
    """The middle of each onset cell; the first boundary for the cell before it."""
    return np.concatenate((onsets[:1].astype(float), (onsets[:-1] + onsets[1:]) / 2))


def _lengths(onsets: Ints, lifts: Ints) -> tuple[Floats, Floats]:
    """The least and greatest length of a block in each (onset cell, lift cell), from the onset cell's middle."""
    middle = _middles(onsets)[:, None]
    edges = np.concatenate((lifts[:1], lifts)).astype(float)
    return np.maximum(edges[:-1] - middle, 0), np.maximum(edges[1:] - middle, 0)


def block_mass(onsets: Ints, lifts: Ints, s: Scales, *, not_yet: bool) -> Floats:
    """Prior mass of each (onset cell, lift cell) given one block; `not_yet`: add the lift cell "not yet".

    The first lift cell, before the first boundary, has no width.
    """
    low, high = _lengths(onsets, lifts)
    longest = np.log1p(s.window / s.outage)
    lifted = (1 - LASTING) * (np.log1p(high / s.outage) - np.log1p(low / s.outage)) / longest
    if not_yet:
        lifted = np.concatenate((lifted, np.full((onsets.size, 1), LASTING)), axis=1)
    mass: Floats = onset_mass(onsets, s)[:, None] * lifted
    return mass


def outage_mass(onsets: Ints, lifts: Ints, s: Scales) -> Floats:
    """Expected number of hidden outages in each (onset cell, lift cell), the lift cell "not yet" included."""
    low, high = _lengths(onsets, lifts)
    ended = np.exp(-low / s.outage) - np.exp(-high / s.outage)
    lasting = np.exp(-np.maximum(s.last - _middles(onsets), 0) / s.outage)
    start = np.concatenate((np.array([s.outage / s.window]), np.diff(onsets) / s.window))
    mass: Floats = OUTAGES * start[:, None] * np.concatenate((ended, lasting[:, None]), axis=1)
    return mass

"""What is believed before any row is read: how often blocks come, how long they and other troubles last.

Each constant is a decision that can be argued with; docs/method.md argues for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from aggregator.inference.model.likelihood import Floats, Ints

PRIOR = 0.25
"""Of a block in the window. A per-country product decision; `Parameters.prior` overrides it."""
BEFORE_START = 0.1
"""Given a block, that it began before the first row."""
WEAK_BEFORE = 0.1
"""Factor for a weak block that began before the first row: lines that are simply bad look the same."""
LASTING = 0.5
"""Given a block, that it lasts to the end of the window; else its length is log-uniform, about."""
REPEATING = 0.02
"""Given a block, that it comes and goes."""
OUTAGES = 0.03
"""How many outages that no control showed are expected in a window."""
OUTAGE_S = 2400.0
"""Their mean length, at most; in a fast deployment a cadence or two lags."""
LAGS = (0.0, 1.0, 3.0)
LAG_WEIGHTS = (0.65, 0.17, 0.18)
"""The delay with which lines see a full block: none, or exponential with this many times the lag as its mean. A cache
serves the old answer to every run or to none: a weak block, which lets part of the runs through, is supposed prompt."""
PROMPT = 0.1
"""Under a lag, the share of lines that see the change at once."""


@dataclass(frozen=True, slots=True)
class Scales:
    """The lengths of time that the priors depend on, in ms. `first` and `last` are the first and last row's times."""

    first: int
    last: int
    cadence: float
    lag: float

    @property
    def window(self) -> float:
        """The length of what was watched, at least one cadence."""
        return max(float(self.last - self.first), self.cadence)

    @property
    def outage(self) -> float:
        """The mean length of an outage that no control showed."""
        return min(OUTAGE_S * 1000, max(self.cadence, 2 * self.lag))

    def lags(self) -> list[tuple[float, float]]:
        """(mean delay, weight) of each supposed lag of a full block."""
        if self.lag <= 0:
            return [(0.0, 1.0)]
        return [(m * self.lag, w) for m, w in zip(LAGS, LAG_WEIGHTS, strict=True)]


def log_block(length: float, s: Scales) -> float:
    """Log density of a block's length that ended, both in ms; nats."""
    return -math.log((length + s.outage) * math.log1p(s.window / s.outage))


def log_outage(length: float, s: Scales) -> float:
    """Log density of the length of an outage that no control showed, both in ms; nats."""
    return -length / s.outage - math.log(s.outage)


def onset_mass(b: Ints, s: Scales) -> Floats:
    """Prior mass of each onset cell: "before the first row" (if the grid begins there), then even over the window."""
    before = BEFORE_START if b[0] <= s.first else 0.0
    return np.concatenate((np.array([before]), (1 - BEFORE_START) * np.diff(b) / s.window))


def _lengths(onsets: Ints, lifts: Ints) -> tuple[Floats, Floats]:
    """The least and greatest length of a block in each (onset cell, lift cell), from the onset cell's middle."""
    middle = np.concatenate((onsets[:1].astype(float), (onsets[:-1] + onsets[1:]) / 2))[:, None]
    edges = np.concatenate((lifts[:1], lifts)).astype(float)
    return np.maximum(edges[:-1] - middle, 0), np.maximum(edges[1:] - middle, 0)


def block_mass(onsets: Ints, lifts: Ints, s: Scales, *, not_yet: bool) -> Floats:
    """Prior mass of each (onset cell, lift cell) given one block. The first of several lift cells has no width."""
    low, high = _lengths(onsets, lifts)
    longest = np.log1p(s.window / s.outage)
    lifted = (1 - LASTING) * (np.log1p(high / s.outage) - np.log1p(low / s.outage)) / longest
    if not_yet:
        lifted = np.concatenate((lifted, np.full((onsets.size, 1), LASTING)), axis=1)
    mass: Floats = onset_mass(onsets, s)[:, None] * lifted
    return mass


def outage_mass(onsets: Ints, lifts: Ints, s: Scales) -> Floats:
    """Expected number of outages that no control showed in each (onset cell, lift cell), "not yet" included."""
    low, high = _lengths(onsets, lifts)
    ended = np.exp(-low / s.outage) - np.exp(-high / s.outage)
    middle = np.concatenate((onsets[:1].astype(float), (onsets[:-1] + onsets[1:]) / 2))
    still = np.exp(-np.maximum(s.last - middle, 0) / s.outage)
    start = np.concatenate((np.array([s.outage / s.window]), np.diff(onsets) / s.window))
    mass: Floats = OUTAGES * start[:, None] * np.concatenate((ended, still[:, None]), axis=1)
    return mass

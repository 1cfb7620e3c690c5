"""Where in time: the posterior of an onset, and of a lift, on a grid as fine as the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aggregator.inference.model import grid, posterior, priors
from aggregator.inference.model.counts import LineCounts
from aggregator.inference.model.likelihood import Floats, Ints

TAIL = 5e-4
"""While one end is refined, the other is kept to where all but this much of its mass lies, on each side."""
FEW = 12
"""Cells kept of the other end of the block while one end is refined."""


@dataclass(frozen=True, slots=True)
class TimePosterior:
    """The posterior of one time: mass of each cell (b_i-1, b_i]; cell 0 is all that is before b_0."""

    b: Ints
    mass: Floats

    def quantile(self, q: float) -> int | None:
        """The time by which the change came with probability q; None when that is before the first boundary.

        Masses are rounded to whole numbers first, so that the answer does not depend on their last bits.
        """
        whole = np.rint(self.mass / self.mass.max() * 2.0**40).astype(np.int64)
        total = np.cumsum(whole)
        wanted = q * float(total[-1])
        i = int(np.searchsorted(total, wanted, "left"))
        if i == 0:
            return None
        i = min(i, self.b.size - 1)
        part = (wanted - float(total[i - 1])) / max(float(whole[i]), 1.0)
        return round(float(self.b[i - 1]) + min(max(part, 0.0), 1.0) * float(self.b[i] - self.b[i - 1]))

    def by(self, t: int) -> tuple[float, float]:
        """The least and greatest probability that the change came by t; they differ before the first boundary."""
        total = np.cumsum(self.mass) / self.mass.sum()
        if t < self.b[0]:
            return 0.0, float(total[0])
        p = float(np.interp(t, self.b, total[: self.b.size]))
        return p, p


@dataclass(frozen=True, slots=True)
class Located:
    """A block: the posteriors of its onset and of its lift (None while it lasts), given that there is one."""

    onset: TimePosterior
    lift: TimePosterior | None
    censored: float
    """The probability that it began before the first row."""


def _some(b: Ints, mass: Floats) -> Ints:
    """At most FEW of the boundaries, from where nearly all the mass lies."""
    total = np.cumsum(mass) / mass.sum()
    low, high = int(np.searchsorted(total, TAIL)), int(np.searchsorted(total, 1 - TAIL))
    kept = b[max(low - 1, 0) : high + 1]
    return kept[np.unique(np.linspace(0, kept.size - 1, FEW).round().astype(np.int64))] if kept.size > FEW else kept


def _one_episode(rough: posterior.WeighedGrid) -> Floats:
    """The mass of the pairs that overlap the likeliest one: other episodes, elsewhere in the window, are left out."""
    i, k = np.unravel_index(int(rough.mass.argmax()), rough.mass.shape)
    last = rough.onsets[-1] + 1
    ends = np.concatenate((rough.lifts, [last]))
    starts = np.concatenate((rough.onsets[:1], rough.onsets[:-1]))
    mass: Floats = rough.mass * ((starts < ends[k])[:, None] & (ends > starts[i])[None, :])
    return mass


def locate(
    summary: LineCounts, scales: priors.Scales, rough: posterior.WeighedGrid, extra: posterior.OtherBlocks | None = None
) -> Located:
    """The onset and the lift on fine grids, from the rough posterior over pairs. `extra`: other blocks, as given."""
    mass = _one_episode(rough)
    lifted = float(mass[:, :-1].sum()) > float(mass[:, -1].sum())
    columns = mass[:, :-1] if lifted else mass[:, -1:]
    by_lift, by_onset = columns.sum(axis=0), columns.sum(axis=1)
    onsets = grid.fine(summary, rough.onsets, by_onset, scales.last)
    lifts = grid.fine(summary, rough.lifts, by_lift, scales.last) if lifted else rough.lifts[:0]
    near = _some(rough.lifts, by_lift) if lifted else lifts
    found = posterior.weigh(summary, scales, onsets, near, not_yet=not lifted, lines=rough.lines, extra=extra)
    onset = TimePosterior(onsets, found.mass.sum(axis=1))
    censored = float(onset.mass[0] / onset.mass.sum())
    if not lifted:
        return Located(onset, None, censored)
    some = _some(onsets, onset.mass)
    found = posterior.weigh(summary, scales, some, lifts, not_yet=False, lines=rough.lines, extra=extra)
    return Located(onset, TimePosterior(lifts, found.mass.sum(axis=0)), censored)

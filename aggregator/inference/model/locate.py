"""The marginal posteriors of the onset and of the lift of one block, on grids as fine as the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aggregator.inference.model import grid
from aggregator.inference.model.counts import LineCounts
from aggregator.inference.model.likelihood import Floats, Ints
from aggregator.inference.model.posterior import GridPosterior, OtherBlocks, evaluate
from aggregator.inference.model.priors import Scales

TAIL = 5e-4
"""While one end of a block is refined, the other is limited to where all but this mass lies, on each side."""
FEW = 12
"""Boundaries kept of the other end."""


@dataclass(frozen=True, slots=True)
class TimePosterior:
    """The marginal posterior of one time: mass of each cell (b_i-1, b_i]; cell 0 is all times before b_0.

    The mass need not sum to 1; inside a cell it is spread uniformly.
    """

    b: Ints
    """Boundaries, ms since the epoch."""
    mass: Floats

    def quantile(self, q: float) -> int | None:
        """The q-quantile, ms since the epoch; None where it lies before the first boundary.

        Masses are rounded to whole numbers first, so that the result does not depend on their last bits.
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
        """The distribution function at `t`: least and greatest value. They differ before the first boundary."""
        total = np.cumsum(self.mass) / self.mass.sum()
        if t < self.b[0]:
            return 0.0, float(total[0])
        p = float(np.interp(t, self.b, total[: self.b.size]))
        return p, p


@dataclass(frozen=True, slots=True)
class Located:
    """One block: the posteriors of its onset and of its lift (None while it lasts), given that there was one."""

    onset: TimePosterior
    lift: TimePosterior | None
    censored: float
    """The probability that it began before the first row (left-censored)."""


def _few(b: Ints, mass: Floats) -> Ints:
    """At most FEW of the boundaries, from where nearly all the mass lies (TAIL)."""
    total = np.cumsum(mass) / mass.sum()
    low, high = int(np.searchsorted(total, TAIL)), int(np.searchsorted(total, 1 - TAIL))
    kept = b[max(low - 1, 0) : high + 1]
    return kept[np.unique(np.linspace(0, kept.size - 1, FEW).round().astype(np.int64))] if kept.size > FEW else kept


def _one_episode(joint: GridPosterior) -> Floats:
    """The mass of the pairs that overlap the likeliest one; that of other episodes in the window is set to 0."""
    i, k = np.unravel_index(int(joint.mass.argmax()), joint.mass.shape)
    last = joint.onsets[-1] + 1
    ends = np.concatenate((joint.lifts, [last]))
    starts = np.concatenate((joint.onsets[:1], joint.onsets[:-1]))
    mass: Floats = joint.mass * ((starts < ends[k])[:, None] & (ends > starts[i])[None, :])
    return mass


def locate(counts: LineCounts, scales: Scales, joint: GridPosterior, others: OtherBlocks | None = None) -> Located:
    """The onset and the lift on fine grids, from the coarse joint posterior, whose last lift cell is "not yet".

    `others`: other blocks, taken as given. Whether there was a lift is decided first, by the greater mass.
    """
    mass = _one_episode(joint)
    lifted = float(mass[:, :-1].sum()) > float(mass[:, -1].sum())
    columns = mass[:, :-1] if lifted else mass[:, -1:]
    by_lift, by_onset = columns.sum(axis=0), columns.sum(axis=1)
    onsets = grid.fine(counts, joint.onsets, by_onset, scales.last)
    lifts = grid.fine(counts, joint.lifts, by_lift, scales.last) if lifted else joint.lifts[:0]
    few_lifts = _few(joint.lifts, by_lift) if lifted else lifts
    refined = evaluate(counts, scales, onsets, few_lifts, not_yet=not lifted, lines=joint.lines, others=others)
    onset = TimePosterior(onsets, refined.mass.sum(axis=1))
    censored = float(onset.mass[0] / onset.mass.sum())
    if not lifted:
        return Located(onset, None, censored)
    few_onsets = _few(onsets, onset.mass)
    refined = evaluate(counts, scales, few_onsets, lifts, not_yet=False, lines=joint.lines, others=others)
    return Located(onset, TimePosterior(lifts, refined.mass.sum(axis=0)), censored)

"""The posterior of an onset and a lift: what each pair of times explains, weighed by its prior.

A hypothesis is (lag, kind of block, onset cell, lift cell). Boundaries b_0 < b_1 < ... cut the window into cells:
onset cell 0 is "before the first row", onset cell i is (b_i-1, b_i]; lift cells likewise, and the last is "not yet".
Rows at or after the onset's boundary and before the lift's are inside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aggregator.inference.model import likelihood, priors
from aggregator.inference.model.counts import LineCounts
from aggregator.inference.model.likelihood import Floats, Ints

TINY = 1e-300
FAINT = 1e-70
"""A line counts for no less than this, relative to what explains it best: four of them are still a number."""


@dataclass(frozen=True, slots=True)
class LineLikelihoods:
    """Each line's log likelihood in nats if it does not follow a block: (series,)."""

    fixed: likelihood.UnaffectedTerms
    private: Floats
    """If it changed once by itself, at a time of its own."""

    def apart(self) -> Floats:
        """Of lines that a block does not touch, weighted by what they can be."""
        return _mix([(likelihood.UNAFFECTED, self.fixed.unaffected), *self._ill()])

    def no_block(self) -> int:
        """All lines together when there is no block, in STEPs."""
        mixed = _mix([(likelihood.AFFECTED + likelihood.UNAFFECTED, self.fixed.unaffected), *self._ill()])
        return int(likelihood.quantise(mixed).sum())

    def _ill(self) -> list[tuple[float, Floats]]:
        return [
            (likelihood.FAILING, self.fixed.failing),
            (likelihood.NOISY, self.fixed.noisy),
            (likelihood.PRIVATE, self.private),
        ]


@dataclass(frozen=True, slots=True)
class WeighedGrid:
    """The posterior over a grid of hypotheses."""

    onsets: Ints
    lifts: Ints
    mass: Floats
    """(onset cells, lift cells) under a block, kinds and lags summed; relative to `top`."""
    top: int
    outage: float
    """The same for an outage that no control showed."""
    lines: LineLikelihoods


def _mix(terms: list[tuple[float, Floats]]) -> Floats:
    """Log of a weighted sum of exponentials."""
    stacked = np.stack([np.log(w) + t for w, t in terms])
    top = stacked.max(axis=0)
    mixed: Floats = top + np.log(np.exp(stacked - top).sum(axis=0))
    return mixed


@dataclass(frozen=True, slots=True)
class OtherBlocks:
    """Failures and runs of each series inside other blocks that are taken as given; (series,)."""

    k: Ints
    n: Ints


def follow(
    summary: LineCounts, onsets: Ints, lifts: Ints, *, not_yet: bool, extra: OtherBlocks | None = None
) -> Floats:
    """Log likelihood of each line if it follows a block; (kinds, series, onset cells, lift cells), nats."""
    k0, n0 = summary.before(onsets)
    k1, n1 = summary.before(lifts)
    if not_yet:
        k1 = np.concatenate((k1, summary.k[:, None]), axis=1)
        n1 = np.concatenate((n1, summary.n[:, None]), axis=1)
    some = n1[:, None, :] > n0[:, :, None]
    k_in, n_in = (k1[:, None, :] - k0[:, :, None]) * some, (n1[:, None, :] - n0[:, :, None]) * some
    if extra is not None:
        k_in, n_in = k_in + extra.k[:, None, None], n_in + extra.n[:, None, None]
    return likelihood.following(k_in, n_in, summary.k[:, None, None], summary.n[:, None, None], int(summary.n.max()))


def smooth(e: Floats, never: Floats, b: Ints, lags: Floats) -> Floats:
    """Average over exponential delays with the means `lags`, along the first axis (cells that end at `b`).

    `never` is the likelihood where the delay outlasts the window. Each cell's value is the mean over true times
    spread evenly in it; the first cell, before the start, is taken as long past. `lags` broadcasts against `e[0]`.
    """
    out = np.broadcast_to(e, (e.shape[0], *np.broadcast_shapes(e.shape[1:], lags.shape))).copy()
    tail = np.broadcast_to(never, out.shape[1:]).copy()
    for i in range(b.size - 1, 0, -1):
        width = float(b[i] - b[i - 1])
        stay = np.exp(-width / lags)
        tail -= e[i]
        out[i] += (1 - stay) * lags / width * tail
        tail *= stay
        tail += e[i]
    return out


def _delayed(e: Floats, never: Floats, onsets: Ints, lifts: Ints, lags: Floats) -> Floats:
    """`e` (kinds, series, onsets, lifts) when each line sees both changes late; lags are the first axis."""
    mean = lags[:, None, None, None]
    late = np.broadcast_to(e, (lags.size, *e.shape))
    if lifts.size > 1:
        by_lift = np.ascontiguousarray(np.moveaxis(e, 3, 0))
        smoothed = smooth(by_lift[: lifts.size, None], by_lift[-1], lifts, mean)
        still = np.broadcast_to(by_lift[lifts.size :, None], (e.shape[3] - lifts.size, *smoothed.shape[1:]))
        late = np.moveaxis(np.concatenate((smoothed, still)), 0, -1)
    by_onset = np.ascontiguousarray(np.moveaxis(late, 3, 0))
    by_onset = smooth(by_onset, never[:, None], onsets, mean)
    by_onset *= 1 - priors.PROMPT
    by_onset += priors.PROMPT * np.moveaxis(e, 2, 0)[:, None]
    return np.moveaxis(by_onset, 0, 3)


def _all_lines(follow: Floats, rest: Floats) -> Ints:
    """Log of the product over lines of AFFECTED * follow + rest, in STEPs; `follow` (..., series, onsets, lifts).

    The product is taken four lines at a time, so that fewer logarithms are needed. Overwrites `follow`.
    """
    follow *= likelihood.AFFECTED
    follow += rest[:, None, None]
    np.maximum(follow, FAINT, out=follow)
    total = np.zeros((*follow.shape[:-3], *follow.shape[-2:]), np.int64)
    for first in range(0, rest.size, 4):
        total += likelihood.quantise(np.log(follow[..., first : first + 4, :, :].prod(axis=-3)))
    return total


def _elsewhere(summary: LineCounts, extra: OtherBlocks) -> Floats:
    """Log likelihood of each line if it follows the other blocks and this one leaves no trace on it."""
    follows = likelihood.following(extra.k, extra.n, summary.k, summary.n, int(summary.n.max()))
    top = follows.max(axis=0)
    mixed: Floats = top + np.log(np.array(likelihood.BLOCK_WEIGHTS) @ np.exp(follows - top))
    return mixed


def weigh(
    summary: LineCounts,
    scales: priors.Scales,
    onsets: Ints,
    lifts: Ints,
    *,
    not_yet: bool,
    lines: LineLikelihoods | None = None,
    extra: OtherBlocks | None = None,
) -> WeighedGrid:
    """The posterior over all pairs of cells. Without `lines`, they are worked out from the same pairs.

    A block that leaves no trace can't be told from none: what such a pair would explain is taken off every pair's mass.
    """
    follows = follow(summary, onsets, lifts, not_yet=not_yet, extra=extra)
    prior = priors.block_mass(onsets, lifts, scales, not_yet=not_yet)
    lines = lines or _lines(summary, follows, prior, priors.outage_mass(onsets, lifts, scales))
    untouched = lines.fixed.unaffected if extra is None else _elsewhere(summary, extra)
    total, none = _totals(follows, lines, untouched, onsets, lifts, scales.lags())
    best = int(total.max())
    traces = np.maximum(
        np.exp((total - best) * likelihood.STEP) - np.exp(min((none - best) * likelihood.STEP, 1.0)), 0.0
    )
    full, weak = likelihood.BLOCK_WEIGHTS
    some = len(scales.lags())
    outage = 0.0
    if not_yet:
        outages = priors.outage_mass(onsets, lifts, scales)
        outage = float(((full * traces[0] + weak * traces[some]) * outages).sum())
    traces *= np.array([kind * weight for kind in likelihood.BLOCK_WEIGHTS for _, weight in scales.lags()])[
        :, None, None
    ]
    traces[some:, 0] *= priors.WEAK_BEFORE if onsets[0] <= scales.first else 1.0
    return WeighedGrid(onsets, lifts, traces.sum(axis=0) * prior, best, outage, lines)


def _lines(summary: LineCounts, follows: Floats, prior: Floats, brief: Floats) -> LineLikelihoods:
    """What each line is worth apart from a block; its own change is averaged over the same pairs of cells.

    `prior` and `brief`: masses of the pairs for a change like a block's and for a short outage.
    """
    fixed = likelihood.UnaffectedTerms.of(summary.k, summary.n)
    top = np.maximum(follows.max(axis=(0, 2, 3)), fixed.highest())
    own = (1 - likelihood.BRIEF) * prior / prior.sum() + likelihood.BRIEF * brief / brief.sum()
    mean = (np.exp(follows - top[:, None, None]).mean(axis=0) * own).sum(axis=(1, 2))
    return LineLikelihoods(fixed, np.log(np.maximum(mean, TINY)) + top)


def _totals(
    follows: Floats,
    lines: LineLikelihoods,
    untouched: Floats,
    onsets: Ints,
    lifts: Ints,
    lags: list[tuple[float, float]],
) -> tuple[Ints, int]:
    """All lines' log likelihood in STEPs, for each (kind, onset cell, lift cell), and for a block without a trace.

    The kinds here are a full block with each lag, then a weak one; the first lag is none.
    `untouched`: each line's if it follows blocks but saw nothing of this one.
    """
    apart = lines.apart()
    top = np.maximum(follows.max(axis=(0, 2, 3)), apart)
    e, rest, never = np.exp(follows - top[:, None, None]), np.exp(apart - top), np.exp(untouched - top)
    high = int(likelihood.quantise(top).sum())
    late = np.array([lag for lag, _ in lags if lag])
    totals = [_all_lines(_delayed(e, never, onsets, lifts, late), rest)] if late.size else []
    totals.insert(0, _all_lines(e, rest)[None])
    none = int(likelihood.quantise(np.log(np.maximum(likelihood.AFFECTED * never + rest, FAINT))).sum()) + high
    by_kind = np.concatenate(totals).swapaxes(0, 1) + high
    return by_kind.reshape(-1, *by_kind.shape[2:]), none


def closed(found: WeighedGrid) -> WeighedGrid:
    """The same without "not yet": a last lift cell of no mass stands in for it."""
    return replace(found, mass=np.concatenate((found.mass, np.zeros((found.mass.shape[0], 1))), axis=1))

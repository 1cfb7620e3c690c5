"""The joint posterior of onset and lift on a grid: for each pair of cells, prior mass times likelihood.

A hypothesis is (kind of block, lag, onset cell, lift cell). Boundaries b_0 < b_1 < ... cut the window into cells:
onset cell 0 is "before the first row", onset cell i is (b_i-1, b_i]; lift cells likewise, and the last may be "not yet"
(the block lasts). The runs of a cell pair that count as inside are those at or after the onset cell's boundary and
before the lift cell's. Given a hypothesis, lines are independent; each line's class is summed out:

    P(rows | tau, sigma, m, lag) = product over lines j of [ AFFECTED * L_j(affected) + L_j(untouched) ]

L_j is the likelihood of line j's rows; L_j(untouched) is the sum over the classes that no block touches, each times its
prior weight. docs/method.md, "Likelihood", has the table of classes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aggregator.inference.model import likelihood, priors
from aggregator.inference.model.counts import LineCounts
from aggregator.inference.model.likelihood import Floats, Ints

TINY = 1e-300
"""The least argument of a logarithm, so that it is finite."""
FAINT = 1e-70
"""The least likelihood of a line relative to its best hypothesis. `_all_lines` multiplies four lines before it takes
the logarithm: 1e-70 to the fourth power is 1e-280, still above the smallest floating-point number."""


@dataclass(frozen=True, slots=True)
class LineLikelihoods:
    """Each line's log likelihood in the classes that no block touches; (series,), nats."""

    constant: likelihood.ConstantRateTerms
    private: Floats
    """If it changed once by itself, averaged over the prior of that change's times."""

    def untouched(self) -> Floats:
        """Weighted over the classes that a block does not touch, given a block; (series,), nats."""
        return _log_mix([(likelihood.UNAFFECTED, self.constant.unaffected), *self._other_classes()])

    def no_block(self) -> int:
        """All lines together if there is no block: then affected lines are unaffected ones; in STEPs."""
        mixed = _log_mix(
            [
                (likelihood.AFFECTED + likelihood.UNAFFECTED, self.constant.unaffected),
                *self._other_classes(),
            ]
        )
        return int(likelihood.quantise(mixed).sum())

    def _other_classes(self) -> list[tuple[float, Floats]]:
        """(prior weight, log likelihood) of the classes other than affected and unaffected."""
        return [
            (likelihood.FAILING, self.constant.failing),
            (likelihood.NOISY, self.constant.noisy),
            (likelihood.PRIVATE, self.private),
        ]


@dataclass(frozen=True, slots=True)
class GridPosterior:
    """The joint posterior of onset and lift on a grid, not normalised."""

    onsets: Ints
    """Boundaries of the onset cells, ms."""
    lifts: Ints
    """Boundaries of the lift cells, ms."""
    mass: Floats
    """(onset cells, lift cells): prior times likelihood, summed over kinds and lags; relative to `top`."""
    top: int
    """The greatest log likelihood of all lines, in STEPs."""
    outage: float
    """The total mass of one hidden outage in place of a block; relative to `top`, 0 without "not yet"."""
    lines: LineLikelihoods


def _log_mix(terms: list[tuple[float, Floats]]) -> Floats:
    """Log of the weighted sum of exponentials, from (weight, log value) terms of one shape."""
    stacked = np.stack([np.log(w) + t for w, t in terms])
    top = stacked.max(axis=0)
    mixed: Floats = top + np.log(np.exp(stacked - top).sum(axis=0))
    return mixed


@dataclass(frozen=True, slots=True)
class OtherBlocks:
    """Failures and runs of each series inside other blocks, which are taken as given; (series,)."""

    k: Ints
    n: Ints


def affected_lines(
    counts: LineCounts, onsets: Ints, lifts: Ints, *, not_yet: bool, others: OtherBlocks | None = None
) -> Floats:
    """Log likelihood of each line if it is affected, without delay; (kinds, series, onset cells, lift cells), nats."""
    k0, n0 = counts.before(onsets)
    k1, n1 = counts.before(lifts)
    if not_yet:
        k1 = np.concatenate((k1, counts.k[:, None]), axis=1)
        n1 = np.concatenate((n1, counts.n[:, None]), axis=1)
    not_empty = n1[:, None, :] > n0[:, :, None]
    k_in, n_in = (k1[:, None, :] - k0[:, :, None]) * not_empty, (n1[:, None, :] - n0[:, :, None]) * not_empty
    if others is not None:
        k_in, n_in = k_in + others.k[:, None, None], n_in + others.n[:, None, None]
    return likelihood.log_affected(k_in, n_in, counts.k[:, None, None], counts.n[:, None, None], int(counts.n.max()))


def smooth(e: Floats, never: Floats, b: Ints, lags: Floats) -> Floats:
    """The average of `e` over exponential delays with the means `lags`, along the first axis (cells that end at `b`).

    `never` is the likelihood where the delay outlasts the window. Each cell's value is the mean over true times spread
    uniformly in it; in the first cell, before the start, the delay is supposed to be over. `lags` broadcasts against
    `e[0]`.
    """
    smoothed = np.broadcast_to(e, (e.shape[0], *np.broadcast_shapes(e.shape[1:], lags.shape))).copy()
    tail = np.broadcast_to(never, smoothed.shape[1:]).copy()
    for i in range(b.size - 1, 0, -1):
        width = float(b[i] - b[i - 1])
        stay = np.exp(-width / lags)
        tail -= e[i]
        smoothed[i] += (1 - stay) * lags / width * tail
        tail *= stay
        tail += e[i]
    return smoothed


def _delayed(e: Floats, never: Floats, onsets: Ints, lifts: Ints, lags: Floats) -> Floats:
    """`e` (kinds, series, onsets, lifts), averaged over a line's delays of onset and lift, with the means `lags`.

    The result has the lags as its first axis. The share PROMPT of the lines has no delay.
    """
    mean = lags[:, None, None, None]
    late = np.broadcast_to(e, (lags.size, *e.shape))
    if lifts.size > 1:
        by_lift = np.ascontiguousarray(np.moveaxis(e, 3, 0))
        smoothed = smooth(by_lift[: lifts.size, None], by_lift[-1], lifts, mean)
        not_yet = np.broadcast_to(by_lift[lifts.size :, None], (e.shape[3] - lifts.size, *smoothed.shape[1:]))
        late = np.moveaxis(np.concatenate((smoothed, not_yet)), 0, -1)
    by_onset = np.ascontiguousarray(np.moveaxis(late, 3, 0))
    by_onset = smooth(by_onset, never[:, None], onsets, mean)
    by_onset *= 1 - priors.PROMPT
    by_onset += priors.PROMPT * np.moveaxis(e, 2, 0)[:, None]
    return np.moveaxis(by_onset, 0, 3)


def _all_lines(affected: Floats, untouched: Floats) -> Ints:
    """Log of the product over lines of AFFECTED * affected + untouched, in STEPs.

    `affected` (..., series, onsets, lifts) is overwritten; `untouched` (series,). The product is taken over four lines
    at a time, so that fewer logarithms are needed; FAINT keeps it from underflowing.
    """
    affected *= likelihood.AFFECTED
    affected += untouched[:, None, None]
    np.maximum(affected, FAINT, out=affected)
    total = np.zeros((*affected.shape[:-3], *affected.shape[-2:]), np.int64)
    for first in range(0, untouched.size, 4):
        total += likelihood.quantise(np.log(affected[..., first : first + 4, :, :].prod(axis=-3)))
    return total


def _others_only(counts: LineCounts, others: OtherBlocks) -> Floats:
    """Log likelihood of each line if the other blocks affect it and this one leaves no trace on it; (series,), nats."""
    affected = likelihood.log_affected(others.k, others.n, counts.k, counts.n, int(counts.n.max()))
    top = affected.max(axis=0)
    mixed: Floats = top + np.log(np.array(likelihood.KIND_WEIGHTS) @ np.exp(affected - top))
    return mixed


def evaluate(
    counts: LineCounts,
    scales: priors.Scales,
    onsets: Ints,
    lifts: Ints,
    *,
    not_yet: bool,
    lines: LineLikelihoods | None = None,
    others: OtherBlocks | None = None,
) -> GridPosterior:
    """The posterior over all pairs of cells; `not_yet`: with the lift cell "not yet".

    Without `lines` they are computed from the same pairs. A block without a trace (no run lies inside) can't be told
    from no block: the likelihood that it would have is subtracted from that of every pair, so a pair that explains no
    more than that has no mass.
    """
    affected = affected_lines(counts, onsets, lifts, not_yet=not_yet, others=others)
    prior = priors.block_mass(onsets, lifts, scales, not_yet=not_yet)
    lines = lines or _line_likelihoods(counts, affected, prior, priors.outage_mass(onsets, lifts, scales))
    no_trace = lines.constant.unaffected if others is None else _others_only(counts, others)
    total, none = _totals(affected, lines, no_trace, onsets, lifts, scales.lags())
    top = int(total.max())
    gain = np.maximum(np.exp((total - top) * likelihood.STEP) - np.exp(min((none - top) * likelihood.STEP, 1.0)), 0.0)
    full, weak = likelihood.KIND_WEIGHTS
    first_weak = len(scales.lags())
    outage = 0.0
    if not_yet:
        outages = priors.outage_mass(onsets, lifts, scales)
        outage = float(((full * gain[0] + weak * gain[first_weak]) * outages).sum())
    gain *= np.array([kind * weight for kind in likelihood.KIND_WEIGHTS for _, weight in scales.lags()])[:, None, None]
    gain[first_weak:, 0] *= priors.WEAK_BEFORE if onsets[0] <= scales.first else 1.0
    return GridPosterior(onsets, lifts, gain.sum(axis=0) * prior, top, outage, lines)


def _line_likelihoods(counts: LineCounts, affected: Floats, prior: Floats, brief: Floats) -> LineLikelihoods:
    """The likelihoods of lines that no block touches; a private change is averaged over the same pairs of cells.

    `prior` and `brief`: prior masses of the pairs for a change like a block's and for a short outage of the line.
    """
    constant = likelihood.ConstantRateTerms.of(counts.k, counts.n)
    top = np.maximum(affected.max(axis=(0, 2, 3)), constant.highest())
    own = (1 - likelihood.BRIEF) * prior / prior.sum() + likelihood.BRIEF * brief / brief.sum()
    mean = (np.exp(affected - top[:, None, None]).mean(axis=0) * own).sum(axis=(1, 2))
    return LineLikelihoods(constant, np.log(np.maximum(mean, TINY)) + top)


def _totals(
    affected: Floats,
    lines: LineLikelihoods,
    no_trace: Floats,
    onsets: Ints,
    lifts: Ints,
    lags: list[tuple[float, float]],
) -> tuple[Ints, int]:
    """All lines' log likelihood in STEPs: (kind and lag, onset cell, lift cell), and that of a block without a trace.

    The first axis is kind by kind, full then weak, and within each lag by lag, the first without delay.
    `no_trace`: log likelihood of each affected line if this block leaves no trace on it; (series,), nats.
    """
    untouched = lines.untouched()
    top = np.maximum(affected.max(axis=(0, 2, 3)), untouched)
    e, rest, never = np.exp(affected - top[:, None, None]), np.exp(untouched - top), np.exp(no_trace - top)
    all_tops = int(likelihood.quantise(top).sum())
    delays = np.array([lag for lag, _ in lags if lag])
    totals = [_all_lines(_delayed(e, never, onsets, lifts, delays), rest)] if delays.size else []
    totals.insert(0, _all_lines(e, rest)[None])
    none = int(likelihood.quantise(np.log(np.maximum(likelihood.AFFECTED * never + rest, FAINT))).sum()) + all_tops
    by_kind = np.concatenate(totals).swapaxes(0, 1) + all_tops
    return by_kind.reshape(-1, *by_kind.shape[2:]), none


def with_not_yet(posterior: GridPosterior) -> GridPosterior:
    """The same posterior with a lift cell "not yet" that has no mass, for a block that is known to have ended."""
    return replace(posterior, mass=np.concatenate((posterior.mass, np.zeros((posterior.mass.shape[0], 1))), axis=1))

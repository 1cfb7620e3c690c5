"""The accuracy of estimated onsets: errors, coverage, width, false onsets and misses, over many simulated providers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infra.bench.onset.simulate import SimulatedTruth

VISIBLE = 5
"""A block counts as detectable with at least this many visible failures, and as many successes before it."""


@dataclass(frozen=True, slots=True)
class OnsetEstimate:
    """One method's result for one provider, ms since the epoch; `onset` None: no block.

    `latest` None: no interval. Only `earliest` None: the interval is left-censored.
    """

    onset: int | None
    earliest: int | None = None
    latest: int | None = None
    sure: bool = True
    """False: the block is only suspected."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """One method's accuracy on one fleet. Errors and widths in probing intervals, of the first onset."""

    found: int
    """Detectable blocks with an estimated onset."""
    error_median: float
    error_p90: float
    coverage: float
    """The share of intervals that hold the true onset."""
    below: float
    """The share of intervals that end before it."""
    above: float
    """The share of intervals that begin after it."""
    width: float
    """The median width of the intervals."""
    false_onsets: float
    """Onsets per 1,000 provider-days on providers that never block, without those that are only suspected."""
    false_suspected: float
    """The same for those that are only suspected."""
    missed: float
    """The share of detectable blocks that were missed, or only suspected though several lines could show them."""
    missed_probes: float
    """The share that was missed, or only suspected though the provider has several probes."""
    detectable: int


def accuracy(pairs: list[tuple[SimulatedTruth, OnsetEstimate]]) -> Accuracy:
    """The accuracy of the estimates, each beside the truth."""
    errors, widths, below, above = [], [], [], []
    false_onsets = false_suspected = missed = missed_probes = detectable = 0
    for truth, estimate in pairs:
        found = estimate.onset is not None
        if not truth.blocks:
            false_onsets += found and estimate.sure
            false_suspected += found and not estimate.sure
            continue
        if not is_detectable(truth):
            continue
        detectable += 1
        missed += estimate.onset is None or (not estimate.sure and truth.showing_lines > 1)
        missed_probes += estimate.onset is None or (not estimate.sure and truth.lines > 1)
        if estimate.onset is None:
            continue
        onset = truth.blocks[0][0]
        errors.append(abs(estimate.onset - onset) / truth.cadence_ms)
        if estimate.latest is not None:
            earliest = estimate.earliest if estimate.earliest is not None else 0
            widths.append((estimate.latest - earliest) / truth.cadence_ms)
            below.append(estimate.latest < onset)
            above.append(earliest > onset)
    thousand_days = sum(truth.days for truth, _ in pairs if not truth.blocks) / 1000
    return Accuracy(
        found=len(errors),
        error_median=float(np.median(errors)) if errors else np.nan,
        error_p90=float(np.quantile(errors, 0.9)) if errors else np.nan,
        coverage=1 - float(np.mean(below) + np.mean(above)) if widths else np.nan,
        below=float(np.mean(below)) if widths else np.nan,
        above=float(np.mean(above)) if widths else np.nan,
        width=float(np.median(widths)) if widths else np.nan,
        false_onsets=false_onsets / thousand_days if thousand_days else np.nan,
        false_suspected=false_suspected / thousand_days if thousand_days else np.nan,
        missed=missed / max(detectable, 1),
        missed_probes=missed_probes / max(detectable, 1),
        detectable=detectable,
    )


def is_detectable(truth: SimulatedTruth) -> bool:
    """Whether the provider's first block, if it has one, counts as detectable."""
    return bool(truth.blocks) and truth.visible_failures >= VISIBLE and truth.successes_before >= VISIBLE

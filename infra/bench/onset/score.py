"""How good answers are: errors, coverage, width, false onsets and misses, over many providers whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infra.bench.onset.simulate import SimulatedTruth

VISIBLE = 5
"""A block counts as detectable with this many visible failures and as many earlier successes."""


@dataclass(frozen=True, slots=True)
class Guess:
    """One method's answer for one provider, ms since the epoch; `sure`: more than a suspicion."""

    estimate: int | None
    earliest: int | None = None
    latest: int | None = None
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Score:
    """One line of the table. Errors and widths in probing intervals."""

    found: int
    median: float
    p90: float
    coverage: float
    below: float
    """The share of intervals that end before the truth."""
    above: float
    width: float
    false: float
    """False onsets per 1,000 provider-days, of those that are sure."""
    false_suspected: float
    missed: float
    """Of the detectable blocks. `suspected` counts as found where one line could show the block."""
    missed_probes: float
    """The same, but `suspected` counts as found only where the provider has one probe."""
    detectable: int


def score(pairs: list[tuple[SimulatedTruth, Guess]]) -> Score:
    """The score of guesses beside their truths."""
    errors, widths, below, above = [], [], [], []
    false = suspected = missed = missed_probes = detectable = 0
    for truth, guess in pairs:
        found = guess.estimate is not None
        if not truth.blocks:
            false += found and guess.sure
            suspected += found and not guess.sure
            continue
        if truth.seen < VISIBLE or truth.earlier < VISIBLE:
            continue
        detectable += 1
        missed += guess.estimate is None or (not guess.sure and truth.showing > 1)
        missed_probes += guess.estimate is None or (not guess.sure and truth.lines > 1)
        if guess.estimate is None:
            continue
        onset = truth.blocks[0][0]
        errors.append(abs(guess.estimate - onset) / truth.cadence_ms)
        if guess.latest is not None:
            earliest = guess.earliest if guess.earliest is not None else 0
            widths.append((guess.latest - earliest) / truth.cadence_ms)
            below.append(guess.latest < onset)
            above.append(earliest > onset)
    days = sum(t.days for t, _ in pairs if not t.blocks) / 1000
    return Score(
        found=len(errors),
        median=float(np.median(errors)) if errors else np.nan,
        p90=float(np.quantile(errors, 0.9)) if errors else np.nan,
        coverage=1 - float(np.mean(below) + np.mean(above)) if widths else np.nan,
        below=float(np.mean(below)) if widths else np.nan,
        above=float(np.mean(above)) if widths else np.nan,
        width=float(np.median(widths)) if widths else np.nan,
        false=false / days if days else np.nan,
        false_suspected=suspected / days if days else np.nan,
        missed=missed / max(detectable, 1),
        missed_probes=missed_probes / max(detectable, 1),
        detectable=detectable,
    )

"""The sufficient statistics of the model: for each series, its times and its running count of failures.

Computed once from the rows. Every later step only asks how many runs and failures a series had before a time, at a
cost that hardly depends on the number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aggregator.inference.model.likelihood import Ints
from aggregator.inference.rows.clean import CleanRows


@dataclass(frozen=True, slots=True)
class OutcomeStretches:
    """A sequence of outcomes in order of time, run-length encoded as stretches of equal outcomes."""

    first: Ints
    """The position of each stretch's first row, followed by the number of rows."""
    fail: npt.NDArray[np.bool_]
    """Whether the rows of each stretch failed."""

    @classmethod
    def of(cls, fail: npt.NDArray[np.bool_]) -> OutcomeStretches:
        """The stretches of a sequence of outcomes."""
        first = np.flatnonzero(np.diff(fail, prepend=~fail[:1]))
        return cls(np.append(first, fail.size), fail[first])

    def rate(self) -> float:
        """The share of rows that failed."""
        return float(np.diff(self.first)[self.fail].sum()) / max(1, int(self.first[-1]))


@dataclass(frozen=True, slots=True)
class LineCounts:
    """Times (ms) and failure counts by series: one series per line, or per probe where the line is unknown ("")."""

    times: tuple[Ints, ...]
    """For each series, its sorted times."""
    failures: tuple[Ints, ...]
    """For each series, how many of its first i runs failed; one longer than its times."""
    all_times: Ints
    """The times of all series, sorted."""
    all_outcomes: OutcomeStretches
    """The outcomes of all series, in order of time."""
    outcomes: tuple[OutcomeStretches, ...]
    """The outcomes of each series."""
    n: Ints
    """Runs of each series; (series,)."""
    k: Ints
    """Failures of each series; (series,)."""
    line_count: int
    """The number of independent lines; all unknown ones together count as one."""
    line_of: Ints
    """For each series, the number of its independent line."""
    cadence_ms: int

    @classmethod
    def of(cls, rows: CleanRows) -> LineCounts:
        """The counts of clean rows."""
        unknown = rows.lines.index("") if "" in rows.lines else -1
        series = np.where(rows.line == unknown, len(rows.lines) + rows.probe, rows.line)
        present = np.unique(series)
        order = np.argsort(series, kind="stable")
        edges = np.searchsorted(series[order], present)
        parts = np.split(order, edges[1:]) if present.size else []
        lines = np.where(present >= len(rows.lines), unknown, present)
        distinct, line_of = np.unique(lines, return_inverse=True)
        return cls(
            times=tuple(rows.at[p] for p in parts),
            failures=tuple(np.concatenate(([0], np.cumsum(rows.fail[p]))) for p in parts),
            all_times=rows.at,
            all_outcomes=OutcomeStretches.of(rows.fail),
            outcomes=tuple(OutcomeStretches.of(rows.fail[p]) for p in parts),
            n=np.array([p.size for p in parts], np.int64),
            k=np.array([rows.fail[p].sum() for p in parts], np.int64),
            line_count=len(distinct),
            line_of=line_of.astype(np.int64),
            cadence_ms=rows.cadence_ms,
        )

    def before(self, t: Ints) -> tuple[Ints, Ints]:
        """Failures and runs of each series before each of the times `t`; two arrays (series, times)."""
        runs = np.stack([np.searchsorted(times, t, "left") for times in self.times])
        fails = np.stack([f[r] for f, r in zip(self.failures, runs, strict=True)])
        return fails, runs

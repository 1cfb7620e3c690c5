"""What the posterior needs of the rows: for each line, its times and its running count of failures.

Made once from the rows; every later step asks only "how many runs and failures before t", at a cost that hardly
depends on how many rows there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aggregator.inference.model.likelihood import Ints
from aggregator.inference.rows.clean import CleanRows


@dataclass(frozen=True, slots=True)
class OutcomeRuns:
    """Outcomes in order of time, as stretches of equal ones."""

    first: Ints
    """The place of each stretch's first row, and at the end how many rows there are."""
    fail: npt.NDArray[np.bool_]
    """Whether the rows of each stretch failed."""

    @classmethod
    def of(cls, fail: npt.NDArray[np.bool_]) -> OutcomeRuns:
        """The stretches of some outcomes."""
        first = np.flatnonzero(np.diff(fail, prepend=~fail[:1]))
        return cls(np.append(first, fail.size), fail[first])

    def rate(self) -> float:
        """The share of rows that failed."""
        return float(np.diff(self.first)[self.fail].sum()) / max(1, int(self.first[-1]))


@dataclass(frozen=True, slots=True)
class LineCounts:
    """Counts by line, times in ms. A line whose name is unknown ("") stands apart for each probe on it."""

    times: tuple[Ints, ...]
    """For each series, its sorted times."""
    failures: tuple[Ints, ...]
    """For each series, how many of its first i runs failed; one longer than its times."""
    pooled: Ints
    """All times, sorted."""
    pooled_runs: OutcomeRuns
    """What came of all of them."""
    runs: tuple[OutcomeRuns, ...]
    """What came of each series."""
    n: Ints
    k: Ints
    lines: int
    """Independent lines: all the unknown ones together count as one."""
    line_of: Ints
    """For each series, the number of its independent line."""
    cadence_ms: int

    @classmethod
    def of(cls, rows: CleanRows) -> LineCounts:
        """The summary of clean rows."""
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
            pooled=rows.at,
            pooled_runs=OutcomeRuns.of(rows.fail),
            runs=tuple(OutcomeRuns.of(rows.fail[p]) for p in parts),
            n=np.array([p.size for p in parts], np.int64),
            k=np.array([rows.fail[p].sum() for p in parts], np.int64),
            lines=len(distinct),
            line_of=line_of.astype(np.int64),
            cadence_ms=rows.cadence_ms,
        )

    def before(self, t: Ints) -> tuple[Ints, Ints]:
        """Failures and runs of each series before each of the times; two arrays (series, times)."""
        runs = np.stack([np.searchsorted(times, t, "left") for times in self.times])
        fails = np.stack([f[r] for f, r in zip(self.failures, runs, strict=True)])
        return fails, runs

"""The rows that the inference reads: equal-length columns, one row for each run."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

OK, FAIL, INCONCLUSIVE = 0, 1, 2
"""Codes of `Rows.outcome`."""
UNKNOWN = 2
"""`Rows.control` and `Rows.reference` are OK, FAIL or UNKNOWN (not run, or its result is not known)."""

Coded = tuple[tuple[str, ...], npt.NDArray[np.int64]]
"""Distinct names, sorted, and each row's index among them."""


def coded(names: npt.NDArray[np.str_]) -> Coded:
    """The sorted distinct names, and each row's index among them."""
    distinct = np.unique(names)
    return tuple(distinct.tolist()), np.searchsorted(distinct, names).astype(np.int64)


@dataclass(frozen=True)
class Rows:
    """The rows of one (watch, provider, surface), one per run, as equal-length columns in any order.

    `probe` and `line` are text; `at` and `received` int64 milliseconds (`received` = -1 where it isn't known);
    `outcome`, `control`, `reference` int8 codes; `method` text ("" for none); `share_failed` (of the endpoints, 0 to 1)
    and `speed` (relative to the control's) float64, NaN where not measured. A `line` of "" is unknown.
    """

    watch: str
    provider: str
    surface: str
    probe: npt.NDArray[np.str_]
    line: npt.NDArray[np.str_]
    at: npt.NDArray[np.int64]
    received: npt.NDArray[np.int64]
    outcome: npt.NDArray[np.int8]
    method: npt.NDArray[np.str_]
    share_failed: npt.NDArray[np.float64]
    speed: npt.NDArray[np.float64]
    control: npt.NDArray[np.int8]
    reference: npt.NDArray[np.int8]

    @functools.cached_property
    def probes(self) -> Coded:
        """`probe` as sorted distinct names and each row's index."""
        return coded(self.probe)

    @functools.cached_property
    def lines(self) -> Coded:
        """`line` as sorted distinct names and each row's index."""
        return coded(self.line)

    @functools.cached_property
    def methods(self) -> Coded:
        """`method` as sorted distinct names and each row's index."""
        return coded(self.method)

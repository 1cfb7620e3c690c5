"""The rows that the inference reads: equal-length columns, one row for each run."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

OK, FAIL, INCONCLUSIVE = 0, 1, 2
"""Codes of `Rows.outcome`; `Rows.control` and `Rows.reference` use OK, FAIL and UNKNOWN."""
UNKNOWN = 2


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
    `outcome`, `control`, `reference` int8 codes; `method` text ("" for none); `share_failed` and `speed` float64,
    NaN where not measured.
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
        """`probe`, coded."""
        return coded(self.probe)

    @functools.cached_property
    def lines(self) -> Coded:
        """`line`, coded."""
        return coded(self.line)

    @functools.cached_property
    def methods(self) -> Coded:
        """`method`, coded."""
        return coded(self.method)

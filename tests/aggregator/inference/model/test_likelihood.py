"""The likelihood of a line."""

from __future__ import annotations

import numpy as np

from aggregator.inference.model.likelihood import log_bb


def test_likelihood_tables_are_whole_numbers() -> None:
    """Sums of the tables are exact, so their order can't matter."""
    k, n = np.arange(50), np.full(50, 60)
    assert log_bb(k, n, (7.0, 0.7), 60).dtype == np.int64

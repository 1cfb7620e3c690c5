"""The same rows give the same bytes on any machine, within the allowed processor time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from aggregator.inference.model.counts import LineCounts
from aggregator.inference.onset import infer, judge
from aggregator.inference.rows.clean import clean
from aggregator.inference.rows.parameters import Parameters
from aggregator.inference.rows.rows import Rows
from tests.support.measured_fleet import FleetSpec, make

DAY = 86400.0
ROOT = Path(__file__).parents[3]
HASH_ANSWERS = """
import hashlib, msgspec
from aggregator.inference.rows.parameters import Parameters
from aggregator.inference.onset import infer
from aggregator.inference.model.sequential_detector import trace
from tests.support.measured_fleet import FleetSpec, make
h = hashlib.sha256()
for seed in range(2):
    for blocks in ((), ((1e5, 1e9),), ((1e5, 1.4e5), (2e5, 2.6e5))):
        rows = make(FleetSpec(seed=seed, cadence=900, length=3e5, lines=3, blocks=blocks, flaky=(2,)))
        h.update(msgspec.json.encode(infer(rows, Parameters())))
        h.update(trace(rows)[3].tobytes())
print(h.hexdigest())
"""


def _hash_with(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HASH_ANSWERS],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def _disabled() -> str:
    """The features of this processor that numpy can run without, in numpy's names."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    return " ".join(f for f in __cpu_dispatch__ if __cpu_features__.get(f))


def test_answers_do_not_depend_on_threads_or_processor() -> None:
    """Answers and scores are the same bytes with other thread counts and with CPU features switched off."""
    plain = _hash_with(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    assert plain == _hash_with(OMP_NUM_THREADS="4", OPENBLAS_NUM_THREADS="4")
    if _disabled():
        assert plain == _hash_with(NPY_DISABLE_CPU_FEATURES=_disabled())


def _seconds(rows: Rows) -> float:
    """The least processor time of three runs."""
    infer(rows, Parameters())
    best = 9.0
    for _ in range(3):
        started = time.process_time()
        infer(rows, Parameters())
        best = min(best, time.process_time() - started)
    return best


def test_twenty_thousand_measurements_cost_little() -> None:
    """About 20,000 rows of 8 lines take well under 0.2 s even on a busy machine (the aim is 0.05 s on a free core)."""
    rows = make(FleetSpec(cadence=480, length=14 * DAY, lines=8, blocks=((8 * DAY, 1e9),)))
    assert 18_000 < rows.at.size < 22_000
    assert _seconds(rows) < 0.2


def test_cost_hardly_depends_on_the_number_of_rows() -> None:
    """Given the counts, ten times the rows or ten times the window costs at most half as much again."""
    counts_of, least = [], [9.0] * 3
    for cadence, days in ((600.0, 14.0), (60.0, 14.0), (600.0, 140.0)):
        rows = make(FleetSpec(cadence=cadence, length=days * DAY, lines=8, blocks=((days * DAY * 0.6, 1e9),)))
        counts_of.append(LineCounts.of(clean(rows, Parameters())))
    for _ in range(9):  # in turn, so that other load on the machine affects all alike
        for i, counts in enumerate(counts_of):
            started = time.process_time()
            judge(counts, Parameters())
            least[i] = min(least[i], time.process_time() - started)
    base, *tenfold = least
    assert max(tenfold) < 1.5 * base

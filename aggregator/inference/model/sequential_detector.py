"""The sequential test: after each row as it arrives, the evidence so far for a block that has begun.

The score is the log of a ratio of mixtures over supposed onsets s, each just before a failure:

    score = log  sum_s h e^T(s)  /  (1 + sum_s (h_o g(s) + h_u) e^(-d(s)/o) e^T(s))
    T(s) = sum over lines j of log r_j(s)
    r_j(s) = (A e^L_j(s) + (1 - A) + c_j) / (1 + c_j),                       c_j = h_c sum_s e^L_j(s)

L_j(s)              line j's log likelihood ratio for its rows since s: a full block against its own rate before s
A                   the share of lines that a block has reached by now
h, h_c, h_o, h_u    the hazards per failure of a block, a private change of one line, an outage that controls show, and
                    a hidden one, which no control shows
d(s), o             the time since s, and the mean length of an outage
c_j                 bounds the evidence of a single line: r_j can't exceed A / h_c
g(s)                at most 1: the likelihood ratio of the controls since s, an outage against none; a factor s_c for
                    each failure beside a control that passed, since only the share s_c of controls passes inside an
                    outage, and a factor (1 - s_c) / .05 for each line whose control failed

A score uses only rows that arrived before it; nothing is fitted. docs/method.md, "Online", discusses the test.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from aggregator.inference.model.likelihood import ANY, FULL, NANO, QUIET, Floats, Ints, log_rising
from aggregator.inference.rows.clean import DELIVERY_S, THROTTLED
from aggregator.inference.rows.rows import FAIL, INCONCLUSIVE, OK, Rows

REACHED = 0.6
"""A: the share of lines that a block has reached by now; caches delay the others."""
BLOCK, PRIVATE, OUTAGE, HIDDEN = 1e-5, 3e-5, 1e-5, 1e-6
"""h, h_c, h_o, h_u."""
SURVIVES = 0.4
"""s_c: the share of controls that pass inside an outage."""
LOG_CONTROL_FAILED = math.log((1 - SURVIVES) / 0.05)
"""Log likelihood ratio of a line's failed control: in an outage, against one that fails by itself (5 %)."""
BAD = 0.1
"""The prior share of lines that fail at a constant rate of their own, drawn from Beta(1, 1)."""
LOG_BAD, LOG_SOUND = math.log(BAD), math.log(1 - BAD)
CANDIDATES = 16
"""Supposed onsets that are followed at a time, at most."""
DROPPED = -1e9
"""T of an unused candidate."""
LONG_AGO = -(1 << 40)
"""The number of the row of a failed control where there was none."""
FORGET = -5.0
"""A candidate whose T falls below this many nats is dropped."""
ROUNDS, OWN_ROUNDS = 3, 2
"""An outage is on while the controls of two lines failed within the last ROUNDS rows per line. The outcomes of a line
whose own control failed within the last OWN_ROUNDS rows per line are not used."""
OUTAGE_MS = 2_400_000.0
"""o."""
SETTLED = 20
"""Rows of a probe after which a least delay that is still long means a slow clock."""
FLOOR = -30.0
"""The least score; also the score without candidates."""


class SequentialDetector:
    """The running score of one provider. Times in ms. Arrays are (lines, candidates) or (candidates,)."""

    def __init__(self, lines: int, rows: int) -> None:
        """`lines`, `rows`: how many lines and rows there will be at most."""
        size = 1 << max(10, rows.bit_length() + 1)
        self._quiet, self._any, self._full = (
            np.stack([log_rising(a, size), log_rising(b, size), log_rising(a + b, size)]) for a, b in (QUIET, ANY, FULL)
        )
        self.score = FLOOR
        self._row = 0  # how many rows have been taken in
        self._lines_seen: set[int] = set()
        # By line: used runs, failures among them, and the number of the row of the last failed control.
        self._runs, self._failures = [0] * lines, [0] * lines
        self._control_failed_at = [LONG_AGO] * lines
        # By candidate: its time s and the number of its row, T(s), and failures since s beside a control that passed.
        self._start, self._start_row = np.zeros(CANDIDATES, np.int64), np.zeros(CANDIDATES, np.int64)
        self._total = np.full(CANDIDATES, DROPPED)
        self._passed = np.zeros(CANDIDATES, np.int64)
        self._has_candidates = False
        # By line and candidate: used runs since s, failures among them, log r_j(s), and whether a control failed since.
        shape = (lines, CANDIDATES)
        self._since_runs, self._since_failures = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self._logr = np.zeros(shape)
        self._control_failed = np.zeros(shape, bool)

    def add(self, line: int, at: int, fail: bool, usable: bool, control_failed: bool, control_passed: bool) -> float:
        """Takes one row in and returns the score after it.

        `usable`: whether its outcome may count; `control_failed`: whether its control or its reference failed;
        `control_passed`: whether its control is known to have passed.
        """
        self._row += 1
        self._lines_seen.add(line)
        line_count = len(self._lines_seen)
        own_outage = self._row - self._control_failed_at[line] <= OWN_ROUNDS * line_count
        if control_failed:
            self._control_failed_at[line] = self._row
            self._control_failed[line] |= self._start <= at
        reach = ROUNDS * line_count
        failing_lines = sum(self._row - row <= reach for row in self._control_failed_at)
        outage = failing_lines >= min(2, line_count)
        if outage and control_failed and self._has_candidates:
            self._total[self._start_row >= self._row - reach - ROUNDS] = DROPPED
            self._rescore(at)
        if usable and not outage and not own_outage:
            self._passed += (fail and control_passed) * (self._start <= at)
            self._count(line, at, fail)
        elif control_failed and self._has_candidates:
            self._rescore(at)
        return self.score

    def _count(self, line: int, at: int, fail: bool) -> None:
        """Takes in the outcome of one row."""
        self._runs[line] += 1
        self._failures[line] += fail
        if fail:
            self._add_candidate(at)
        if not self._has_candidates:
            return
        inside = self._start <= at
        self._since_runs[line] += inside
        if fail:
            self._since_failures[line] += inside
        followed = self._total > DROPPED
        e = np.exp(np.minimum(self._log_ratio(line), 300.0))
        c = PRIVATE * float(e @ followed)
        logr = np.log((REACHED * e + (1 - REACHED + c)) / (1 + c))
        self._total += np.where(followed, logr - self._logr[line], 0.0)
        self._logr[line] = logr
        self._rescore(at)

    def _add_candidate(self, at: int) -> None:
        """One more supposed onset, at `at`, in place of a dropped one or of the one with the least T."""
        slot = int(self._total.argmin())
        self._start_row[slot] = self._row
        self._start[slot], self._total[slot], self._has_candidates = at, 0.0, True
        self._since_runs[:, slot] = self._since_failures[:, slot] = 0
        self._logr[:, slot] = 0.0
        self._passed[slot], self._control_failed[:, slot] = 1, False

    def _log_ratio(self, line: int) -> Floats:
        """L_j for each candidate; (candidates,), nats."""
        n, k = self._since_runs[line], self._since_failures[line]
        n1, k1 = self._runs[line], self._failures[line]
        all_rows = np.logaddexp(LOG_SOUND + _log_bb(self._quiet, k1, n1), LOG_BAD + _log_bb(self._any, k1, n1))
        before = np.logaddexp(
            LOG_SOUND + _log_bb(self._quiet, k1 - k, n1 - n), LOG_BAD + _log_bb(self._any, k1 - k, n1 - n)
        )
        ratio: Floats = _log_bb(self._full, k, n) - all_rows + before
        return ratio

    def _rescore(self, now: int) -> None:
        """Drops candidates below FORGET and computes the score at the time `now`."""
        total = self._total
        total[total < FORGET] = DROPPED
        e = np.exp(np.minimum(total, 300.0))
        weight = float(e.sum())
        self._has_candidates = weight > 0
        if not self._has_candidates:
            self.score = FLOOR
            return
        lasted = np.maximum(now - self._start, 0)
        log_g = self._passed * math.log(SURVIVES) + self._control_failed.sum(axis=0) * LOG_CONTROL_FAILED
        log_g = np.minimum(log_g, 0.0)
        outage = float(e @ (np.exp(-lasted / OUTAGE_MS) * (OUTAGE * np.exp(log_g) + HIDDEN)))
        self.score = max(FLOOR, math.log(BLOCK * weight) - math.log1p(outage))


def _log_bb(tables: Ints, k: Any, n: Any) -> Any:
    """Log BB(k, n; a, b) in nats, from the stacked `log_rising` tables of a, b and a + b."""
    return (tables[0][k] + tables[1][n - k] - tables[2][n]) * NANO


class _ProbeClock:
    """One probe's clock correction by the least (received - at) that has arrived so far; see `clean.clock_shifts`."""

    def __init__(self) -> None:
        self._least, self._rows = 1 << 62, 0

    def corrected(self, at: int, received: int) -> int:
        """The corrected time of one more row, ms."""
        self._least, self._rows = min(self._least, received - at), self._rows + 1
        right = 0 <= self._least <= DELIVERY_S * 1000 or (self._least > 0 and self._rows < SETTLED)
        return at if right else at + self._least


Texts = npt.NDArray[np.str_]


def trace(rows: Rows) -> tuple[Ints, Ints, Texts, Floats]:
    """(received, at, probe, score after it) of each row in order of arrival; ties by (at, probe).

    `received` and `at` in ms, `received` being `at` where it isn't known; scores in nats, rounded to 1e-4. Clocks are
    corrected by what has arrived so far; the returned `at` is not.
    """
    probes, probe = rows.probes
    _, line = rows.lines
    received = np.where(rows.received >= 0, rows.received, rows.at)
    order = np.lexsort((rows.outcome, probe, rows.at, received))
    fail = (rows.outcome == FAIL) | ((rows.outcome == OK) & (rows.speed < THROTTLED))
    control_failed = (rows.control == FAIL) | (rows.reference == FAIL)
    usable = (rows.outcome != INCONCLUSIVE) & ~control_failed
    control_passed = rows.control == OK
    clocks = [_ProbeClock() for _ in probes]
    test = SequentialDetector(int(line.max(initial=0)) + 1, rows.at.size)
    scores = np.empty(order.size)
    for position, i in enumerate(order.tolist()):
        scores[position] = test.add(
            line=int(line[i]),
            at=clocks[int(probe[i])].corrected(int(rows.at[i]), int(received[i])),
            fail=bool(fail[i]),
            usable=bool(usable[i]),
            control_failed=bool(control_failed[i]),
            control_passed=bool(control_passed[i]),
        )
    return received[order], rows.at[order], rows.probe[order], np.round(scores, 4)

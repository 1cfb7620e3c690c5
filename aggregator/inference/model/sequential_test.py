"""The sequential test: after each row as it arrives, how much the rows so far speak for a block that has begun.

The score is the log of a ratio of mixtures over supposed onsets s, each just before a failure:

    score = log  sum_s h e^T(s)  /  (1 + sum_s (h_o g(s) + h_u) e^(-d(s)/o) e^T(s))
    T(s) = sum over lines j of log r_j(s)
    r_j(s) = (A e^L_j(s) + (1 - A) + c_j) / (1 + c_j),                       c_j = h_c sum_s e^L_j(s)

L_j(s) is line j's log likelihood ratio since s: of a full block against its own rate before s. h, h_c, h_o and h_u are
the chances that a block, a private change of one line, an outage that controls show, and one that none shows began at a
given failure; d(s) is how long it has lasted, o an outage's mean length. c_j is what keeps one line that goes bad from
alarming alone: its r_j can't exceed A / h_c. g(s), at most 1, is what the controls say of an outage since s: s_c for
each failure beside a control that passed, as only a share s_c does inside an outage, and (1 - s_c) / .05 for each line
whose control failed. A score uses only rows that arrived before; nothing is fitted.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from aggregator.inference.model.likelihood import ANY, FULL, NANO, QUIET, Floats, Ints, rising
from aggregator.inference.rows.clean import DELIVERY_S, THROTTLED
from aggregator.inference.rows.rows import FAIL, INCONCLUSIVE, OK, Rows

FOLLOWS = 0.6
"""A: of the lines, those that a block has reached by now; caches hold some back."""
BLOCK, PRIVATE, OUTAGE, HIDDEN = 1e-5, 3e-5, 1e-5, 1e-6
"""h, h_c, h_o, h_u."""
SURVIVES = 0.4
"""s_c: of the controls inside an outage, those that pass."""
LOG_LOST = math.log((1 - SURVIVES) / 0.05)
"""What a line whose control fails speaks for an outage, against one whose control fails by itself."""
BAD = 0.1
"""Of the lines, those that fail at a rate of their own at all times."""
LOG_BAD, LOG_SOUND = math.log(BAD), math.log(1 - BAD)
CANDIDATES = 16
"""Supposed onsets kept."""
DEAD = -1e9
NEVER = -(1 << 40)
FORGET = -5.0
"""One whose T falls below this is dropped, in nats."""
ROUNDS, OWN_ROUNDS = 3, 2
"""An outage is on while two lines' controls failed within the last ROUNDS rows a line; a line whose own control failed
within OWN_ROUNDS has no say."""
OUTAGE_MS = 2_400_000.0
SETTLED = 20
"""Rows of a probe after which a least delay that is still long means a slow clock."""
FLOOR = -30.0
"""The score where nothing is supposed."""


class SequentialTest:
    """The running score of one provider. Times in ms. Arrays are (lines, supposed onsets)."""

    def __init__(self, lines: int, rows: int) -> None:
        """`lines`: how many there may be; `rows`: at most so many rows will come."""
        size = 1 << max(10, rows.bit_length() + 1)
        self._quiet, self._any, self._full = (
            np.stack([rising(a, size), rising(b, size), rising(a + b, size)]) for a, b in (QUIET, ANY, FULL)
        )
        shape = (lines, CANDIDATES)
        self._runs, self._failures = [0] * lines, [0] * lines
        self._row = 0
        self._lost_at = [NEVER] * lines
        self._seen: set[int] = set()
        self._began = np.zeros(CANDIDATES, np.int64)
        self._since_runs, self._since_failures = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self._logr = np.zeros(shape)
        self._passed = np.zeros(CANDIDATES, np.int64)
        self._lost = np.zeros(shape, bool)
        self._start = np.zeros(CANDIDATES, np.int64)
        self._total = np.full(CANDIDATES, DEAD)
        self._any_live = False
        self.score = FLOOR

    def add(self, line: int, at: int, fail: bool, speaks: bool, lost: bool, passed: bool) -> float:
        """Takes one row in and gives the score after it.

        `speaks`: whether its outcome may count; `lost`: whether its control failed or its reference did; `passed`:
        whether its control is known to have passed.
        """
        self._row += 1
        self._seen.add(line)
        seen = len(self._seen)
        own_trouble = self._row - self._lost_at[line] <= OWN_ROUNDS * seen
        if lost:
            self._lost_at[line] = self._row
            self._lost[line] |= self._start <= at
        reach = ROUNDS * seen
        troubled = sum(self._row - row <= reach for row in self._lost_at)
        outage = troubled >= min(2, seen)
        if outage and lost and self._any_live:
            self._total[self._began >= self._row - reach - ROUNDS] = DEAD
            self._rescore(at)
        if speaks and not outage and not own_trouble:
            self._passed += (fail and passed) * (self._start <= at)
            self._count(line, at, fail)
        elif lost and self._any_live:
            self._rescore(at)
        return self.score

    def _count(self, line: int, at: int, fail: bool) -> None:
        self._runs[line] += 1
        self._failures[line] += fail
        if fail:
            self._suppose(at)
        if not self._any_live:
            return
        inside = self._start <= at
        self._since_runs[line] += inside
        if fail:
            self._since_failures[line] += inside
        live = self._total > DEAD
        e = np.exp(np.minimum(self._ratio(line), 300.0))
        c = PRIVATE * float(e @ live)
        logr = np.log((FOLLOWS * e + (1 - FOLLOWS + c)) / (1 + c))
        self._total += np.where(live, logr - self._logr[line], 0.0)
        self._logr[line] = logr
        self._rescore(at)

    def _suppose(self, at: int) -> None:
        """One more supposed onset, at `at`, in place of a dead one or of the one with the least support."""
        slot = int(self._total.argmin())
        self._began[slot] = self._row
        self._start[slot], self._total[slot], self._any_live = at, 0.0, True
        self._since_runs[:, slot] = self._since_failures[:, slot] = 0
        self._logr[:, slot] = 0.0
        self._passed[slot], self._lost[:, slot] = 1, False

    def _ratio(self, line: int) -> Floats:
        """L_j for each supposed onset: a full block's likelihood of the rows since, against the line's own rate."""
        n, k = self._since_runs[line], self._since_failures[line]
        n1, k1 = self._runs[line], self._failures[line]
        now = np.logaddexp(LOG_SOUND + _bb(self._quiet, k1, n1), LOG_BAD + _bb(self._any, k1, n1))
        before = np.logaddexp(LOG_SOUND + _bb(self._quiet, k1 - k, n1 - n), LOG_BAD + _bb(self._any, k1 - k, n1 - n))
        ratio: Floats = _bb(self._full, k, n) - now + before
        return ratio

    def _rescore(self, now: int) -> None:
        total = self._total
        total[total < FORGET] = DEAD
        e = np.exp(np.minimum(total, 300.0))
        weight = float(e.sum())
        self._any_live = weight > 0
        if not self._any_live:
            self.score = FLOOR
            return
        lasted = np.maximum(now - self._start, 0)
        shown = np.minimum(self._passed * math.log(SURVIVES) + self._lost.sum(axis=0) * LOG_LOST, 0.0)
        outage = float(e @ (np.exp(-lasted / OUTAGE_MS) * (OUTAGE * np.exp(shown) + HIDDEN)))
        self.score = max(FLOOR, math.log(BLOCK * weight) - math.log1p(outage))


def _bb(tables: Ints, k: Any, n: Any) -> Any:
    """Log BB(k, n) from stacked tables of a, b and a + b."""
    return (tables[0][k] + tables[1][n - k] - tables[2][n]) * NANO


class _ProbeClock:
    """One probe's clock, set right by the least (received - at) that has arrived so far; see `clean.clock_shifts`."""

    def __init__(self) -> None:
        self._least, self._rows = 1 << 62, 0

    def corrected(self, at: int, received: int) -> int:
        self._least, self._rows = min(self._least, received - at), self._rows + 1
        prompt = 0 <= self._least <= DELIVERY_S * 1000 or (self._least > 0 and self._rows < SETTLED)
        return at if prompt else at + self._least


Texts = npt.NDArray[np.str_]


def trace(rows: Rows) -> tuple[Ints, Ints, Texts, Floats]:
    """(received, at, probe, score after it) of each row in order of arrival; ties by (at, probe).

    `received` falls back on `at` where it isn't known. Clocks are corrected by what has arrived so far.
    """
    probes, probe = rows.probes
    _, line = rows.lines
    received = np.where(rows.received >= 0, rows.received, rows.at)
    order = np.lexsort((rows.outcome, probe, rows.at, received))
    fail = (rows.outcome == FAIL) | ((rows.outcome == OK) & (rows.speed < THROTTLED))
    lost = (rows.control == FAIL) | (rows.reference == FAIL)
    speaks = (rows.outcome != INCONCLUSIVE) & ~lost
    passed = rows.control == OK
    clocks = [_ProbeClock() for _ in probes]
    trigger = SequentialTest(int(line.max(initial=0)) + 1, rows.at.size)
    scores = np.empty(order.size)
    for place, i in enumerate(order.tolist()):
        p, at, got = int(probe[i]), int(rows.at[i]), int(received[i])
        scores[place] = trigger.add(
            int(line[i]), clocks[p].corrected(at, got), bool(fail[i]), bool(speaks[i]), bool(lost[i]), bool(passed[i])
        )
    return received[order], rows.at[order], rows.probe[order], np.round(scores, 4)

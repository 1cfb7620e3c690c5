"""Which rows may speak, and when they were really measured.

A row is left out when its own control failed, when the reference shows the service down, or when it passed its
control in the middle of an outage. Each probe's clock is set right by the least time its rows took to arrive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aggregator.inference.rows.parameters import Parameters
from aggregator.inference.rows.rows import FAIL, INCONCLUSIVE, OK, UNKNOWN, Rows

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int8]

OUTAGE_SHARE = 0.34
"""A probe whose control fails more often than this, at all times, says nothing about others."""
QUIET_AGAIN = 5
"""This many controls in a row that pass end an outage; a control that passes in the middle of one is luck."""
WITNESS = 5
"""With this many controls of its own in an outage, nearly all passing, a probe was not part of it."""
THROTTLED = 0.25
"""A run that went through at less than this part of the control's speed counts as failed."""
DELIVERY_S = 90.0
"""A sealed segment is at most a minute old when it leaves: a smaller delay says nothing about a clock."""


@dataclass(frozen=True, slots=True)
class CleanRows:
    """The rows that speak, sorted by time, then probe. `probe` and `line` are indices into the sorted names."""

    at: Ints
    probe: Ints
    line: Ints
    fail: npt.NDArray[np.bool_]
    index: Ints
    """Where each stands in the Rows it came from."""
    probes: tuple[str, ...]
    lines: tuple[str, ...]
    cadence_ms: int
    shift_ms: Ints
    """Each probe's clock correction."""
    unheard: Ints
    """Times of the rows that may not speak, sorted: the probe was awake but could tell nothing."""
    reasons: tuple[str, ...]


def cadence_ms(at: Ints, probe: Ints, probes: int, given_s: float | None) -> int:
    """The probing interval: as given, or the median over probes of the median gap between distinct times."""
    if given_s is not None:
        return max(1, round(given_s * 1000))
    order = np.lexsort((at, probe))
    gap, same = np.diff(at[order]), np.diff(probe[order]) == 0
    owner = probe[order][1:]
    medians = [float(np.median(g)) for p in range(probes) if (g := gap[same & (owner == p) & (gap > 0)]).size]
    return max(1, round(float(np.median(medians)))) if medians else 600_000


def clock_shifts(at: Ints, received: Ints, probe: Ints, probes: int, tolerance_ms: int) -> Ints:
    """What to add to each probe's times: the least (received - at), where that can't be the delivery alone.

    A row that arrived before it was measured proves a fast clock at once. A least delay above the tolerance means a
    slow one, since over many rows some arrive promptly. Rows without `received` (-1) don't vote.
    """
    least = np.full(probes, np.iinfo(np.int64).max)
    known = received >= 0
    np.minimum.at(least, probe[known], (received - at)[known])
    delivered = (least >= 0) & (least <= tolerance_ms)
    return np.where(delivered | (least == np.iinfo(np.int64).max), 0, least)


def stretches(at: Ints, failed: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last time of each stretch in which controls fail: failures with fewer than QUIET_AGAIN passes between.

    Rows sorted by time; a stretch has at least two failures.
    """
    where = np.flatnonzero(failed)
    if where.size < 2:
        return []
    breaks = np.flatnonzero(np.diff(where) > QUIET_AGAIN)
    first, last = np.concatenate(([0], breaks + 1)), np.concatenate((breaks, [where.size - 1]))
    several = last > first
    return list(zip(at[where[first[several]]].tolist(), at[where[last[several]]].tolist(), strict=True))


def _covered(at: Ints, spans: list[tuple[int, int]], reach_ms: int) -> npt.NDArray[np.bool_]:
    """Whether each time lies in one of the spans or within `reach_ms` of one. Spans sorted and disjoint."""
    if not spans:
        return np.zeros(at.size, bool)
    edges = np.array(spans, np.int64)
    low = np.searchsorted(edges[:, 1] + reach_ms, at, "left")
    found: npt.NDArray[np.bool_] = (low < len(spans)) & (edges[np.minimum(low, len(spans) - 1), 0] - reach_ms <= at)
    return found


def in_outage(at: Ints, control: Codes, probe: Ints, probes: int, reach_ms: int) -> npt.NDArray[np.bool_]:
    """Rows that lie in an outage, or within `reach_ms` of one, whether or not their own control passed.

    An outage is found on each probe's own controls, and on all controls together. One of the second kind spares a
    probe whose own controls went on passing. A probe whose control fails at all times says nothing about others.
    """
    known, failed = control != UNKNOWN, control == FAIL
    found = np.zeros(at.size, bool)
    if not failed.any():
        return found
    ran, lost = (np.bincount(probe[rows], minlength=probes) for rows in (known, failed))
    sound = lost <= OUTAGE_SHARE * ran
    if not (sound & (ran > 0)).any():
        sound[:] = True
    votes = known & sound[probe]
    common = stretches(at[votes], failed[votes])
    for p in np.flatnonzero(lost if not common else ran).tolist():
        own = np.flatnonzero((probe == p) & known)
        times, fails = at[own], failed[own]
        total = np.concatenate(([0], np.cumsum(fails)))
        spans = stretches(times, fails)
        for start, stop in common:
            a, b = np.searchsorted(times, start, "left"), np.searchsorted(times, stop, "right")
            if b - a < WITNESS or total[b] - total[a] > (b - a) / 10:
                spans.append((start, stop))
        mine = probe == p
        found[mine] = _covered(at[mine], _joined(spans), reach_ms)
    return found


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The union of spans, sorted and disjoint."""
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], stop))
        else:
            joined.append((start, stop))
    return joined


def clean(rows: Rows, parameters: Parameters, *, correct_clocks: bool = True) -> CleanRows:
    """The rows that may speak, and why the others may not."""
    (probes, probe), (lines, line) = rows.probes, rows.lines
    cadence = cadence_ms(rows.at, probe, len(probes), parameters.cadence_s)
    shift = np.zeros(len(probes), np.int64)
    if correct_clocks:
        shift = clock_shifts(rows.at, rows.received, probe, len(probes), min(round(DELIVERY_S * 1000), cadence))
    at = rows.at + shift[probe]
    order = np.lexsort((rows.outcome, rows.control, probe, at))
    at, probe, line = at[order], probe[order], line[order]
    outcome, control, reference = rows.outcome[order], rows.control[order], rows.reference[order]
    slow = rows.speed[order] < THROTTLED
    fail = (outcome == FAIL) | ((outcome == OK) & slow)

    outage = in_outage(at, control, probe, len(probes), cadence)
    down = in_outage(at, reference, probe, len(probes), cadence)
    inside = np.ones(at.size, bool)
    if parameters.start_ms is not None:
        inside &= at >= parameters.start_ms
    if parameters.end_ms is not None:
        inside &= at <= parameters.end_ms
    unfit = (outcome == INCONCLUSIVE) | (control == FAIL) | (reference == FAIL) | outage | down
    speaks = inside & ~unfit

    reasons = []
    if (control[speaks] == UNKNOWN).any():
        reasons.append("controls_not_run")
    if corrected := int((shift != 0).sum()):
        reasons.append(f"clocks corrected: {corrected} of {len(probes)} probes")
    if survivors := int((inside & outage & (control == OK)).sum()):
        reasons.append(f"passed a control inside an outage, left out: {survivors} rows")
    if (inside & ((reference == FAIL) | down)).any():
        reasons.append("the service itself was down for part of the time")
    return CleanRows(
        at=at[speaks],
        probe=probe[speaks],
        line=line[speaks],
        fail=fail[speaks],
        index=order[speaks],
        probes=probes,
        lines=lines,
        cadence_ms=cadence,
        shift_ms=shift,
        unheard=at[inside & unfit],
        reasons=tuple(reasons),
    )

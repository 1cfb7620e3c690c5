"""The cleaning of rows: which rows the model uses, and their corrected times. `clean` is the entry point.

A row is left out when its own control failed, when the reference shows the service down, or when it lies in an outage,
whether or not its own control passed. Each probe's clock is corrected by the least time its rows took to arrive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aggregator.inference.rows.parameters import Parameters
from aggregator.inference.rows.rows import FAIL, INCONCLUSIVE, OK, UNKNOWN, Rows

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]

OUTAGE_SHARE = 0.34
"""The controls of a probe of which a greater share fails over the whole series are not used to find common outages."""
PASSES_TO_END = 5
"""Consecutive passing controls that end an outage. Fewer than these are chance passes in the middle of one."""
OWN_CONTROLS = 5
"""A probe with this many controls of its own in a common outage, of which at most a tenth fails, is exempt from it."""
THROTTLED = 0.25
"""A run that succeeded at less than this part of the control's speed counts as failed."""
DELIVERY_S = 90.0
"""A least (received - at) of up to this, or a cadence if that is less, is taken for delivery, not for a slow clock.

A probe that connects only to deliver (`deliver_every_s`, 45 minutes by default) begins within 20 s of the end of a
run; one that stays connected seals a segment within 60 s (`seal_s`). So some rows of a right clock arrive promptly.
"""
DEFAULT_CADENCE_MS = 600_000
"""The cadence where it is not given and no probe has two distinct times."""


@dataclass(frozen=True, slots=True)
class CleanRows:
    """The rows that are used, sorted by time, then probe. `line` indexes `lines`."""

    at: Ints
    """Corrected times, ms since the epoch."""
    probe: Ints
    """The index of each row's probe among the sorted names of all probes."""
    line: Ints
    fail: Bools
    index: Ints
    """The position of each row in the Rows it came from."""
    lines: tuple[str, ...]
    cadence_ms: int
    unusable_at: Ints
    """Sorted times of the rows in the window that are left out: the probe was on but its outcome shows nothing."""
    reasons: tuple[str, ...]


def cadence_ms(at: Ints, probe: Ints, probes: int, given_s: float | None) -> int:
    """The probing interval: as given, or the median over probes of the median gap between distinct times."""
    if given_s is not None:
        return max(1, round(given_s * 1000))
    order = np.lexsort((at, probe))
    gap, same = np.diff(at[order]), np.diff(probe[order]) == 0
    owner = probe[order][1:]
    medians = [float(np.median(g)) for p in range(probes) if (g := gap[same & (owner == p) & (gap > 0)]).size]
    return max(1, round(float(np.median(medians)))) if medians else DEFAULT_CADENCE_MS


def clock_shifts(at: Ints, received: Ints, probe: Ints, probes: int, tolerance_ms: int) -> Ints:
    """What to add to each probe's times, ms: the least (received - at) if delivery alone can't explain it, else 0.

    A row that arrived before its own `at` proves a fast clock. A least delay above the tolerance means a slow one,
    since over many rows some arrive promptly. Rows without `received` (-1) are not used.
    """
    least = np.full(probes, np.iinfo(np.int64).max)
    known = received >= 0
    np.minimum.at(least, probe[known], (received - at)[known])
    delivered = (least >= 0) & (least <= tolerance_ms)
    return np.where(delivered | (least == np.iinfo(np.int64).max), 0, least)


def failing_stretches(at: Ints, failed: Bools) -> list[tuple[int, int]]:
    """First and last time of each stretch of two or more failed controls, fewer than PASSES_TO_END passes apart.

    Inputs sorted by time. The stretches are sorted and disjoint.
    """
    where = np.flatnonzero(failed)
    if where.size < 2:
        return []
    breaks = np.flatnonzero(np.diff(where) > PASSES_TO_END)
    first, last = np.concatenate(([0], breaks + 1)), np.concatenate((breaks, [where.size - 1]))
    several = last > first
    return list(zip(at[where[first[several]]].tolist(), at[where[last[several]]].tolist(), strict=True))


def _covered(at: Ints, spans: list[tuple[int, int]], reach_ms: int) -> Bools:
    """Whether each time lies in a span or within `reach_ms` of one. Spans are closed, sorted and disjoint."""
    if not spans:
        return np.zeros(at.size, bool)
    edges = np.array(spans, np.int64)
    low = np.searchsorted(edges[:, 1] + reach_ms, at, "left")
    covered: Bools = (low < len(spans)) & (edges[np.minimum(low, len(spans) - 1), 0] - reach_ms <= at)
    return covered


def in_outage(at: Ints, control: Codes, probe: Ints, probes: int, reach_ms: int) -> Bools:
    """Which rows lie in an outage, or within `reach_ms` of one, whether or not their own control passed.

    `control`: codes of controls, or of references. Rows sorted by time; `probe` indexes `probes` probes.
    Outages are the failing stretches of each probe's own controls, and those of all probes' controls together (common
    ones). A probe whose own controls passed during a common outage is exempt from it. Probes whose controls fail often
    (OUTAGE_SHARE) are not used to find common outages, unless all do.
    """
    known, failed = control != UNKNOWN, control == FAIL
    inside = np.zeros(at.size, bool)
    if not failed.any():
        return inside
    controls, failures = (np.bincount(probe[rows], minlength=probes) for rows in (known, failed))
    reliable = failures <= OUTAGE_SHARE * controls
    if not (reliable & (controls > 0)).any():
        reliable[:] = True
    pooled = known & reliable[probe]
    common = failing_stretches(at[pooled], failed[pooled])
    for p in np.flatnonzero(failures if not common else controls).tolist():
        own = np.flatnonzero((probe == p) & known)
        own_at, own_failed = at[own], failed[own]
        failed_before = np.concatenate(([0], np.cumsum(own_failed)))
        spans = failing_stretches(own_at, own_failed)
        for start, stop in common:
            a, b = np.searchsorted(own_at, start, "left"), np.searchsorted(own_at, stop, "right")
            if b - a < OWN_CONTROLS or failed_before[b] - failed_before[a] > (b - a) / 10:
                spans.append((start, stop))
        of_probe = probe == p
        inside[of_probe] = _covered(at[of_probe], _union(spans), reach_ms)
    return inside


def _union(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The union of spans, sorted and disjoint."""
    union: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if union and start <= union[-1][1]:
            union[-1] = (union[-1][0], max(union[-1][1], stop))
        else:
            union.append((start, stop))
    return union


def clean(rows: Rows, parameters: Parameters, *, correct_clocks: bool = True) -> CleanRows:
    """The rows in the window that are used, and the reasons to state in the answer."""
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

    in_control_outage = in_outage(at, control, probe, len(probes), cadence)
    in_service_outage = in_outage(at, reference, probe, len(probes), cadence)
    in_window = np.ones(at.size, bool)
    if parameters.start_ms is not None:
        in_window &= at >= parameters.start_ms
    if parameters.end_ms is not None:
        in_window &= at <= parameters.end_ms
    unusable = (outcome == INCONCLUSIVE) | (control == FAIL) | (reference == FAIL)
    unusable |= in_control_outage | in_service_outage
    used = in_window & ~unusable

    reasons = []
    if (control[used] == UNKNOWN).any():
        reasons.append("controls_not_run")
    if corrected := int((shift != 0).sum()):
        reasons.append(f"clocks corrected: {corrected} of {len(probes)} probes")
    if survivors := int((in_window & in_control_outage & (control == OK)).sum()):
        reasons.append(f"passed a control inside an outage, left out: {survivors} rows")
    if (in_window & ((reference == FAIL) | in_service_outage)).any():
        reasons.append("the service itself was down for part of the time")
    return CleanRows(
        at=at[used],
        probe=probe[used],
        line=line[used],
        fail=fail[used],
        index=order[used],
        lines=lines,
        cadence_ms=cadence,
        unusable_at=at[in_window & unusable],
        reasons=tuple(reasons),
    )

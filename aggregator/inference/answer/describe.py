"""From the posterior to an answer: state, pattern, bracket, method, and reasons in words that can be checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aggregator.inference.answer import compliance, daily_windows, silence
from aggregator.inference.answer.answer import Answer, Episode, Interval, Pattern, State
from aggregator.inference.model import likelihood
from aggregator.inference.model.counts import LineCounts
from aggregator.inference.model.likelihood import Floats, Ints
from aggregator.inference.model.locate import Located, TimePosterior
from aggregator.inference.model.posterior import LineLikelihoods
from aggregator.inference.rows.clean import THROTTLED, CleanRows
from aggregator.inference.rows.digest import digest
from aggregator.inference.rows.parameters import Parameters
from aggregator.inference.rows.rows import Rows
from probe.base import times

Bools = npt.NDArray[np.bool_]

MODEL = "onset-2"
"""The version of the model; changed whenever the same rows could give another answer."""
SURE, LIKELY = 0.9, 0.5
"""A block of at least probability SURE that two lines show is stated; from LIKELY on it is suspected."""
SLACK_S = 60.0
"""The greatest error of a clock that is not corrected, see `clock_slack`."""
DELAYS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0)
"""Delays, in lags, with which a line may see the onset or the lift, in the probability that the line is affected."""
OFTEN = 0.25
"""A line of which a greater share of runs fails can't show that a service is reachable."""
ENOUGH = 5
"""Successes of one line that are needed to call a service reachable."""
PARTIAL = 0.9
"""A block is partial if a smaller share of endpoints fails in the median failed run."""
MOSTLY = 0.75
"""A block is partial if a smaller share of the runs inside it fails."""


def clock_slack(cadence_ms: int) -> int:
    """The error, ms, of a clock that is not corrected: SLACK_S or a twentieth of a cadence, whichever is less.

    Intervals are widened by it at both ends.
    """
    return round(min(SLACK_S * 1000, cadence_ms / 20))


def interval(time: TimePosterior, level: float, first: int, slack: int) -> Interval:
    """The median and the equal-tailed interval of probability `level`, widened by `slack` ms at each end.

    A quantile before the first row, at `first`, is null; for the latest time `first` is given instead.
    """
    tail = (1 - level) / 2
    low, middle, high = (time.quantile(q) for q in (tail, 0.5, 1 - tail))
    return Interval(
        estimate=None if middle is None else times.text(middle),
        earliest=None if low is None else times.text(low - slack),
        latest=times.text((first if high is None else high) + slack),
        level=level,
    )


@dataclass(frozen=True, slots=True)
class RowsInside:
    """Which rows and which series lie inside the blocks."""

    rows: Bools
    """For each row of CleanRows, whether it lies inside."""
    affected: Floats
    """For each series, the posterior probability that the blocks affect it."""
    observed: Bools
    """Whether each series has runs inside."""


def rows_inside(
    cleaned: CleanRows, counts: LineCounts, located: list[Located], lines: LineLikelihoods, lag_ms: float
) -> RowsInside:
    """The rows and series inside the blocks, each block taken to last from the median onset to the median lift.

    A line may see each end late, so its likelihood of being affected is averaged over DELAYS of both ends.
    """
    first, last = int(cleaned.at[0]), int(cleaned.at[-1]) + 1
    delays = np.rint(np.array(DELAYS) * lag_ms).astype(np.int64)
    inside = np.zeros(cleaned.at.size, bool)
    k, n = (np.zeros((counts.n.size, delays.size, delays.size), np.int64) for _ in "kn")
    for block in located:
        start = block.onset.quantile(0.5)
        stop = block.lift.quantile(0.5) if block.lift else None
        a, b = first if start is None else start, last if stop is None else stop
        (k0, n0), (k1, n1) = counts.before(a + delays), counts.before(b + delays)
        not_empty = n1[:, None, :] > n0[:, :, None]
        k = k + (k1[:, None, :] - k0[:, :, None]) * not_empty
        n = n + (n1[:, None, :] - n0[:, :, None]) * not_empty
        inside |= (cleaned.at >= a) & (cleaned.at < b)
    all_k, all_n = counts.k[:, None, None], counts.n[:, None, None]
    n = np.minimum(n, all_n)  # two delayed episodes may overlap
    k = np.clip(k, n - (all_n - all_k), np.minimum(n, all_k))
    affected = likelihood.log_affected(k, n, all_k, all_n, int(counts.n.max()))
    untouched = lines.untouched()
    top = np.maximum(affected.max(axis=(0, 2, 3)), untouched)
    by_kind = np.exp(affected - top[:, None, None]).mean(axis=(2, 3))
    hit = likelihood.AFFECTED * (np.array(likelihood.KIND_WEIGHTS) @ by_kind)
    return RowsInside(inside, hit / (hit + np.exp(untouched - top)), n[:, 0, 0] > 0)


def supporting_lines(counts: LineCounts, located: list[Located], inside: RowsInside) -> int:
    """How many independent lines are affected, more likely than not.

    A line that never worked counts only for a block that probably began before the first row.
    """
    if not located:
        return 0
    counted = inside.observed & ((counts.k < counts.n) | (located[0].censored > LIKELY))
    return len(np.unique(counts.line_of[(inside.affected >= LIKELY) & counted]))


def _state(p: float, located: list[Located], supporting: int, counts: LineCounts) -> State:
    """`supporting`: how many independent lines are affected; with fewer than two a block is only suspected."""
    if not located or p < LIKELY:
        works = (counts.n - counts.k >= ENOUGH) & (counts.k <= OFTEN * counts.n)
        return "reachable" if works.any() else "insufficient"
    if p < SURE or supporting < 2:
        return "suspected"
    if located[-1].lift is not None:
        return "lifted"
    return "blocked_since_before_start" if located[0].censored > LIKELY else "blocked"


def _pattern(rows: Rows, cleaned: CleanRows, inside: RowsInside, episodes: int, windows: object) -> Pattern:
    """The pattern of a block of so many `episodes`; `windows`: its schedule, or None."""
    failed = cleaned.index[inside.rows & cleaned.fail]
    slow = rows.speed[failed] < THROTTLED
    if windows is not None:
        return "scheduled"
    if episodes > 1:
        return "intermittent"
    if failed.size and (slow | (rows.method[failed] == "throttled")).mean() > 0.5:
        return "throttled"
    shares = rows.share_failed[failed]
    shares = shares[~np.isnan(shares)]
    weak = inside.affected.sum() and inside.rows.any() and cleaned.fail[inside.rows].mean() < MOSTLY
    return "partial" if weak or (shares.size and float(np.median(shares)) < PARTIAL) else "full"


def _method(rows: Rows, cleaned: CleanRows, inside: RowsInside) -> str:
    """The most frequent method of the failures inside the block; the first by name among equals."""
    methods: list[str] = rows.method[cleaned.index[inside.rows & cleaned.fail]].tolist()
    frequency = {name: methods.count(name) for name in sorted(set(methods)) if name}
    return max(frequency, key=lambda name: frequency[name]) if frequency else ""


def _bracket(cleaned: CleanRows, block: Located, inside: RowsInside) -> tuple[int | None, int | None]:
    """The last success before the first failure that the onset explains, and that failure; ms."""
    low = block.onset.quantile(0.025)
    start = int(cleaned.at[0]) if low is None else low
    failed = cleaned.at[cleaned.fail & (cleaned.at >= start) & inside.rows]
    if not failed.size:
        return None, None
    ok = cleaned.at[~cleaned.fail & (cleaned.at < failed[0])]
    return (int(ok[-1]) if ok.size else None), int(failed[0])


def _gap(cleaned: CleanRows, block: Located, level: float) -> list[str]:
    """A sentence on the longest time without usable rows in the onset's interval, if over three cadences; else none."""
    low, high = block.onset.quantile((1 - level) / 2), block.onset.quantile((1 + level) / 2)
    if low is None or high is None:
        return []
    a, b = np.searchsorted(cleaned.at, low, "right"), np.searchsorted(cleaned.at, high, "left")
    near: Ints = cleaned.at[max(int(a) - 1, 0) : int(b) + 1]
    gaps = np.diff(near)
    if not gaps.size or gaps.max() <= 3 * cleaned.cadence_ms:
        return []
    start, end = int(near[gaps.argmax()]), int(near[gaps.argmax() + 1])
    measured = bool(((cleaned.unusable_at > start) & (cleaned.unusable_at < end)).any())
    what = "every control or reference failed" if measured else "no probe was awake"
    return [f"{what} between {times.text(start)} and {times.text(end)}"]


def no_answer(rows: Rows, parameters: Parameters, cleaned: CleanRows, reason: str) -> Answer:
    """The answer where there are too few usable rows, with the reason for that."""
    return Answer(
        watch=rows.watch, provider=rows.provider, surface=rows.surface, state="insufficient", pattern="none",
        p_block=0.0, onset=None, lift=None, episodes=(), last_ok=None, first_fail=None, share_affected=None,
        method="", measurements=int(rows.at.size), used=int(cleaned.at.size), probes=len(np.unique(cleaned.probe)),
        lines=len(np.unique(cleaned.line)), model=MODEL, input_digest=digest(rows, parameters),
        reasons=(*cleaned.reasons, reason),
    )  # fmt: skip


def describe(
    rows: Rows, parameters: Parameters, cleaned: CleanRows, counts: LineCounts, lines: LineLikelihoods,
    located: list[Located], p: float,
) -> Answer:  # fmt: skip
    """The answer for the `located` episodes, in order of time, or for none; `p`: the probability of a block."""
    reasons = list(cleaned.reasons)
    inside = rows_inside(cleaned, counts, located, lines, parameters.lag_s * 1000)
    supporting = supporting_lines(counts, located, inside)
    if located and supporting < 2 and located[0].censored > LIKELY:
        located, supporting = [], 0
        reasons.append("no line ever worked, and one line alone can't show a block")
    if not located and not (counts.k <= OFTEN * counts.n).any():
        reasons.append("fails too often to be called reachable, and not as a block would")
    state = _state(p, located, supporting, counts)
    first, slack = int(cleaned.at[0]), clock_slack(cleaned.cadence_ms)
    episodes = tuple(
        Episode(
            onset=interval(block.onset, parameters.level, first, slack),
            lift=interval(block.lift, parameters.level, first, slack) if block.lift else None,
        )
        for block in located
    )
    last_ok = first_fail = share = windows = None
    pattern: Pattern = "none"
    method = ""
    if located:
        last_ok, first_fail = _bracket(cleaned, located[0], inside)
        share = round(float(inside.affected[inside.observed].mean()), 4) if inside.observed.any() else None
        windows = daily_windows.schedule(located, cleaned.cadence_ms, parameters.timezone)
        pattern = _pattern(rows, cleaned, inside, len(located), windows)
        method = _method(rows, cleaned, inside)
        reasons += _gap(cleaned, located[0], parameters.level)
        observed = len(np.unique(counts.line_of[inside.observed]))
        if supporting < observed:
            reasons.append(f"not uniform: {supporting} of {observed} lines")
        if supporting < 2:
            reasons.append("seen on one independent line only" if supporting else "seen clearly on no single line")
    reasons += silence.silences(rows, cleaned.cadence_ms, parameters.end_ms)
    onset = episodes[0].onset if episodes else None
    return Answer(
        watch=rows.watch, provider=rows.provider, surface=rows.surface, state=state, pattern=pattern,
        p_block=round(p, 4), onset=onset,
        lift=episodes[0].lift if episodes else None, episodes=episodes,
        last_ok=None if last_ok is None else times.text(last_ok),
        first_fail=None if first_fail is None else times.text(first_fail),
        share_affected=share, method=method, measurements=int(rows.at.size), used=int(cleaned.at.size),
        probes=len(np.unique(cleaned.probe)), lines=counts.line_count, model=MODEL,
        input_digest=digest(rows, parameters), reasons=tuple(reasons),
        compliance=compliance.assess(located[0] if located else None, onset, p, state, parameters), schedule=windows,
    )  # fmt: skip

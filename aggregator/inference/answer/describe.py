"""From a posterior to an answer in words that can be checked: state, pattern, bracket, method, reasons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aggregator.inference.answer import compliance, daily_windows, silence
from aggregator.inference.answer.answer import Answer, Episode, Interval, Pattern, State
from aggregator.inference.model import likelihood, posterior
from aggregator.inference.model.counts import LineCounts
from aggregator.inference.model.likelihood import Floats, Ints
from aggregator.inference.model.locate import Located, TimePosterior
from aggregator.inference.rows.clean import THROTTLED, CleanRows
from aggregator.inference.rows.digest import digest
from aggregator.inference.rows.parameters import Parameters
from aggregator.inference.rows.rows import Rows
from probe.base import times

MODEL = "onset-2"
"""Changes whenever the same rows could give another answer."""
SURE, LIKELY = 0.9, 0.5
SLACK_S = 60.0
DELAYS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0)
"""In lags: how late a line may see an end of a block, when it is asked whether it followed."""
OFTEN = 0.25
"""A line that fails more often than this can't show that a service is reachable."""
ENOUGH = 5
"""Successes that it takes to say a service is reachable."""
PARTIAL = 0.9
"""Below this share of endpoints failing a block is partial."""
MOSTLY = 0.75
"""Below this share of runs failing, too."""


def clock_slack(cadence_ms: int) -> int:
    """How far off, in ms, a clock may be that is taken for right: the interval is wider by it at both ends."""
    return round(min(SLACK_S * 1000, cadence_ms / 20))


def interval(cells: TimePosterior, level: float, unknown_until: int, slack: int) -> Interval:
    """The equal-tailed interval, wider by `slack` ms at each end, and the median; null before the first row."""
    tail = (1 - level) / 2
    low, middle, high = (cells.quantile(q) for q in (tail, 0.5, 1 - tail))
    return Interval(
        estimate=None if middle is None else times.text(middle),
        earliest=None if low is None else times.text(low - slack),
        latest=times.text((unknown_until if high is None else high) + slack),
        level=level,
    )


@dataclass(frozen=True, slots=True)
class RowsInside:
    """What lies inside the blocks: which rows of `Clean`, and which series they touch."""

    rows: npt.NDArray[np.bool_]
    affected: Floats
    """For each series, the probability that it follows the blocks."""
    saw: npt.NDArray[np.bool_]
    """Series with runs inside."""


def look_inside(
    fit: CleanRows, summary: LineCounts, found: list[Located], lines: posterior.LineLikelihoods, lag_ms: float
) -> RowsInside:
    """The rows and lines inside the blocks, each between the medians of its onset and lift.

    A line may see each end late: whether it follows is averaged over delays of both ends.
    """
    first, last = int(fit.at[0]), int(fit.at[-1]) + 1
    late = np.rint(np.array(DELAYS) * lag_ms).astype(np.int64)
    inside = np.zeros(fit.at.size, bool)
    k, n = (np.zeros((summary.n.size, late.size, late.size), np.int64) for _ in "kn")
    for f in found:
        start = f.onset.quantile(0.5)
        stop = f.lift.quantile(0.5) if f.lift else None
        a, b = first if start is None else start, last if stop is None else stop
        (k0, n0), (k1, n1) = summary.before(a + late), summary.before(b + late)
        some = n1[:, None, :] > n0[:, :, None]
        k, n = k + (k1[:, None, :] - k0[:, :, None]) * some, n + (n1[:, None, :] - n0[:, :, None]) * some
        inside |= (fit.at >= a) & (fit.at < b)
    all_k, all_n = summary.k[:, None, None], summary.n[:, None, None]
    n = np.minimum(n, all_n)  # two late episodes may overlap
    k = np.clip(k, n - (all_n - all_k), np.minimum(n, all_k))
    follows = likelihood.following(k, n, all_k, all_n, int(summary.n.max()))
    apart = lines.apart()
    top = np.maximum(follows.max(axis=(0, 2, 3)), apart)
    by_kind = np.exp(follows - top[:, None, None]).mean(axis=(2, 3))
    hit = likelihood.AFFECTED * (np.array(likelihood.BLOCK_WEIGHTS) @ by_kind)
    return RowsInside(inside, hit / (hit + np.exp(apart - top)), n[:, 0, 0] > 0)


def supporting_lines(summary: LineCounts, found: list[Located], inside: RowsInside) -> int:
    """How many independent lines follow the block. One that never worked votes only on what was before the start."""
    if not found:
        return 0
    voting = inside.saw & ((summary.k < summary.n) | (found[0].censored > LIKELY))
    return len(np.unique(summary.line_of[(inside.affected >= LIKELY) & voting]))


def _state(p: float, found: list[Located], lines: int, summary: LineCounts) -> State:
    """`lines`: how many independent lines follow the block; one alone never makes more than a suspicion."""
    if not found or p < LIKELY:
        works = (summary.n - summary.k >= ENOUGH) & (summary.k <= OFTEN * summary.n)
        return "reachable" if works.any() else "insufficient"
    if p < SURE or lines < 2:
        return "suspected"
    if found[-1].lift is not None:
        return "lifted"
    return "blocked_since_before_start" if found[0].censored > LIKELY else "blocked"


def _pattern(rows: Rows, fit: CleanRows, inside: RowsInside, episodes: int, windows: object) -> Pattern:
    picked = fit.index[inside.rows & fit.fail]
    slow = rows.speed[picked] < THROTTLED
    if windows is not None:
        return "scheduled"
    if episodes > 1:
        return "intermittent"
    if picked.size and (slow | (rows.method[picked] == "throttled")).mean() > 0.5:
        return "throttled"
    shares = rows.share_failed[picked]
    shares = shares[~np.isnan(shares)]
    followed = inside.affected.sum() and inside.rows.any() and fit.fail[inside.rows].mean() < MOSTLY
    return "partial" if followed or (shares.size and float(np.median(shares)) < PARTIAL) else "full"


def _method(rows: Rows, fit: CleanRows, inside: RowsInside) -> str:
    """The method seen most often inside the block; the first by name among equals."""
    seen: list[str] = rows.method[fit.index[inside.rows & fit.fail]].tolist()
    counts = {name: seen.count(name) for name in sorted(set(seen)) if name}
    return max(counts, key=lambda name: counts[name]) if counts else ""


def _bracket(fit: CleanRows, found: Located, inside: RowsInside) -> tuple[int | None, int | None]:
    """The first failure that the onset explains, and the last success before it."""
    low = found.onset.quantile(0.025)
    start = int(fit.at[0]) if low is None else low
    failed = fit.at[fit.fail & (fit.at >= start) & inside.rows]
    if not failed.size:
        return None, None
    ok = fit.at[~fit.fail & (fit.at < failed[0])]
    return (int(ok[-1]) if ok.size else None), int(failed[0])


def _gap(fit: CleanRows, found: Located, level: float) -> list[str]:
    """Says where nothing could be told for long within the onset's interval."""
    low, high = found.onset.quantile((1 - level) / 2), found.onset.quantile((1 + level) / 2)
    if low is None or high is None:
        return []
    a, b = np.searchsorted(fit.at, low, "right"), np.searchsorted(fit.at, high, "left")
    near: Ints = fit.at[max(int(a) - 1, 0) : int(b) + 1]
    gaps = np.diff(near)
    if not gaps.size or gaps.max() <= 3 * fit.cadence_ms:
        return []
    start, end = int(near[gaps.argmax()]), int(near[gaps.argmax() + 1])
    deaf = bool(((fit.unheard > start) & (fit.unheard < end)).any())
    what = "every control or reference failed" if deaf else "no probe was awake"
    return [f"{what} between {times.text(start)} and {times.text(end)}"]


def no_answer(rows: Rows, parameters: Parameters, fit: CleanRows, reason: str) -> Answer:
    """The answer where there is too little to say anything."""
    return Answer(
        watch=rows.watch, provider=rows.provider, surface=rows.surface, state="insufficient", pattern="none",
        p_block=0.0, onset=None, lift=None, episodes=(), last_ok=None, first_fail=None, share_affected=None,
        method="", measurements=int(rows.at.size), used=int(fit.at.size), probes=len(np.unique(fit.probe)),
        lines=len(np.unique(fit.line)), model=MODEL, input_digest=digest(rows, parameters),
        reasons=(*fit.reasons, reason),
    )  # fmt: skip


def describe(
    rows: Rows, parameters: Parameters, fit: CleanRows, summary: LineCounts, lines: posterior.LineLikelihoods,
    found: list[Located], p: float,
) -> Answer:  # fmt: skip
    """The answer for the episodes that were found, in order of time, or for none."""
    reasons = list(fit.reasons)
    inside = look_inside(fit, summary, found, lines, parameters.lag_s * 1000)
    supporting = supporting_lines(summary, found, inside)
    if found and supporting < 2 and found[0].censored > LIKELY:
        found, supporting = [], 0
        reasons.append("no line ever worked, and one line alone can't show a block")
    if not found and not (summary.k <= OFTEN * summary.n).any():
        reasons.append("fails too often to be called reachable, and not as a block would")
    state = _state(p, found, supporting, summary)
    first, slack = int(fit.at[0]), clock_slack(fit.cadence_ms)
    episodes = tuple(
        Episode(
            onset=interval(f.onset, parameters.level, first, slack),
            lift=interval(f.lift, parameters.level, first, slack) if f.lift else None,
        )
        for f in found
    )
    last_ok = first_fail = share = windows = None
    pattern: Pattern = "none"
    method = ""
    if found:
        last_ok, first_fail = _bracket(fit, found[0], inside)
        share = round(float(inside.affected[inside.saw].mean()), 4) if inside.saw.any() else None
        windows = daily_windows.schedule(found, fit.cadence_ms, parameters.timezone)
        pattern = _pattern(rows, fit, inside, len(found), windows)
        method = _method(rows, fit, inside)
        reasons += _gap(fit, found[0], parameters.level)
        seen = len(np.unique(summary.line_of[inside.saw]))
        if supporting < seen:
            reasons.append(f"not uniform: {supporting} of {seen} lines")
        if supporting < 2:
            reasons.append("seen on one independent line only" if supporting else "seen clearly on no single line")
    reasons += silence.silences(rows, fit.cadence_ms, parameters.end_ms)
    return Answer(
        watch=rows.watch, provider=rows.provider, surface=rows.surface, state=state, pattern=pattern,
        p_block=round(p, 4), onset=episodes[0].onset if episodes else None,
        lift=episodes[0].lift if episodes else None, episodes=episodes,
        last_ok=None if last_ok is None else times.text(last_ok),
        first_fail=None if first_fail is None else times.text(first_fail),
        share_affected=share, method=method, measurements=int(rows.at.size), used=int(fit.at.size),
        probes=len(np.unique(fit.probe)), lines=summary.lines, model=MODEL,
        input_digest=digest(rows, parameters), reasons=tuple(reasons),
        compliance=compliance.assess(found[0] if found else None, p, state, parameters), schedule=windows,
    )  # fmt: skip

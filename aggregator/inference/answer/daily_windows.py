"""Schedules: blocks that come at the same hours of the day."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Sequence

from aggregator.inference.answer.answer import BlockSchedule, DailyWindow
from aggregator.inference.model.locate import Located

LEAST = 3
"""Days on which a window must have occurred."""
MOST_WINDOWS = 3
"""Windows of one day, at most."""
SLACK_S = 1800.0
"""Starts of one window differ by at most twice this, lengths by four times. Two cadences take its place if longer."""
DAY_S = 86400
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _of_day(moment: dt.datetime) -> int:
    """Seconds since midnight."""
    return moment.hour * 3600 + moment.minute * 60 + moment.second


def _clock(seconds: float) -> str:
    """HH:MM, rounded to five minutes, from seconds since midnight."""
    minutes = round(seconds / 300) * 5 % 1440
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def schedule(found: Sequence[Located], cadence_ms: int, timezone: str) -> BlockSchedule | None:
    """The daily windows that all episodes fall into, or None where they follow none."""
    zone = zoneinfo.ZoneInfo(timezone)
    ends = [(f.onset.quantile(0.5), f.lift.quantile(0.5) if f.lift else None) for f in found]
    closed = [(a, b) for a, b in ends if a is not None and b is not None]
    if len(closed) < LEAST or len(closed) < len(ends) - 1:
        return None
    spans = [tuple(dt.datetime.fromtimestamp(t / 1000, zone) for t in pair) for pair in closed]
    slack = max(SLACK_S, 2 * cadence_ms / 1000)
    windows: list[list[tuple[dt.datetime, ...]]] = []
    for span in sorted(spans, key=lambda s: _of_day(s[0])):
        if windows and _of_day(span[0]) - _of_day(windows[-1][0][0]) <= 2 * slack:
            windows[-1].append(span)
        else:
            windows.append([span])
    if len(windows) > MOST_WINDOWS or any(len({s[0].date() for s in w}) < LEAST for w in windows):
        return None
    lengths = [[(b - a).total_seconds() for a, b in w] for w in windows]
    if any(max(x) - min(x) > 4 * slack or max(x) >= DAY_S for x in lengths):
        return None
    return BlockSchedule(
        windows=tuple(_window(w) for w in windows),
        weekdays=tuple(DAYS[d] for d in sorted({s[0].weekday() for s in spans})),
        timezone=timezone,
    )


def _window(spans: list[tuple[dt.datetime, ...]]) -> DailyWindow:
    starts, stops = sorted(_of_day(s[0]) for s in spans), sorted(_of_day(s[1]) for s in spans)
    middle = len(spans) // 2
    days = len({s[0].date() for s in spans})
    return DailyWindow(start=_clock(starts[middle]), end=_clock(stops[middle]), days=days)

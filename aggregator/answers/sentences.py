"""Answers as sentences. They state an effect that was measured, never an intent.

Durations and times have no more digits than their intervals support.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Sequence

import msgspec

from aggregator.answers.entry import STOPPED, ProviderEntry, counts, due
from aggregator.inference.answer.answer import Answer, Interval, LagRange
from probe.base import times
from probe.protocol.watch import Watch

_DATES = {"block_by": "deadline", "report_by": "reporting date"}
_NAMED_AT_MOST = 4
_PRECISE_S = 3600.0


def headline(watch: Watch, entries: Sequence[ProviderEntry]) -> str:
    """One sentence about all providers of a watch. Those without measurements are named."""
    n = counts(entries)
    measured = n.providers - n.unmeasured
    if not measured:
        return f"None of the {_count(n.providers, 'provider')} of this watch has been measured yet."
    clauses = [
        _stopped(watch, entries) if n.stopped else "",
        f"already not working when measuring began on {n.already}" if n.already else "",
        f"suspected on {n.suspected}" if n.suspected else "",
        f"no block seen on {n.no_block}" if n.no_block else "",
        f"{n.insufficient} not measured enough" if n.insufficient else "",
        _unmeasured(entries) if n.unmeasured else "",
    ]
    subject = "" if n.stopped else f" for {service(watch)}"
    return f"Of {_count(measured, 'provider')} measured{subject}, {'; '.join(c for c in clauses if c)}."


def with_sentences(watch: Watch, entry: ProviderEntry) -> ProviderEntry:
    """An entry with its `sentence` and `lag_words` filled in."""
    lag_words = lag(entry.lag) if entry.lag else ""
    return msgspec.structs.replace(entry, sentence=sentence(watch, entry), lag_words=lag_words)


def sentence(watch: Watch, entry: ProviderEntry) -> str:
    """What is known about one provider, in a few sentences."""
    answer = entry.answer
    if answer is None:
        return f"Nothing has been measured on {entry.name} yet."
    what = f"{service(watch)} ({answer.surface})"
    state = {
        "blocked": f"{what} stopped working on {entry.name}{_when(watch, entry)}.",
        "lifted": f"{what} stopped working on {entry.name}{_when(watch, entry)}.{_again(watch, answer.lift)}",
        "suspected": f"{what} may have stopped working on {entry.name}{_when(watch, entry)}, {chance(answer.p_block)}.",
        "blocked_since_before_start": _already(watch, entry, answer, what),
        "reachable": f"No block of {what} seen on {entry.name}.",
        "insufficient": f"{what} has not been measured enough on {entry.name}.",
    }[answer.state]
    return f"{state}{_bracket(answer)} {_evidence(answer)}"


def service(watch: Watch) -> str:
    """A service's name in a sentence: a domain stays as it is, a word is capitalised."""
    return watch.service if "." in watch.service else watch.service.capitalize()


def duration(seconds: float) -> str:
    """A length of time in its two leading units: `14 s`, `3 min`, `4 h 40 min`, `4 d 4 h`."""
    whole = round(abs(seconds))
    if whole < 120:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 120:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return _two(minutes, 60, "h", "min")
    return _two(minutes // 60, 24, "d", "h")


def lag(order_lag: LagRange) -> str:
    """A lag in words, to be followed by "the order": `14 s after`, `4 d 4 h to 5 d 5 h after`.

    The estimate alone where the order's date is known to less than an hour, a range where it is known to the day.
    """
    earliest, estimate, latest = order_lag.earliest, order_lag.estimate, order_lag.latest
    if estimate is not None and estimate[1] - estimate[0] < _PRECISE_S:
        return f"{duration(estimate[1])} {'after' if estimate[1] >= 0 else 'before'}"
    if earliest is None:
        return f"at most {duration(latest)} after" if latest >= 0 else "before"
    if earliest < 0 <= latest:
        return "at about the time of"
    near, far = (duration(s) for s in sorted((earliest, latest), key=abs))
    side = "after" if earliest >= 0 else "before"
    return f"{near} {side}" if near == far else f"{near} to {far} {side}"


def chance(p: float) -> str:
    """A probability with two digits, never rounded to 1 or 0."""
    if p > 0.99:
        return "p > 0.99"
    return "p < 0.01" if p < 0.01 else f"p = {p:.2f}"


def between(watch: Watch, interval: Interval) -> str:
    """`between … and … UTC on …`, with the country's own time and the level in brackets.

    Seconds are given only where the interval is short. `interval.earliest` must not be None.
    """
    start, end = times.moment(interval.earliest or interval.latest), times.moment(interval.latest)
    zone = zoneinfo.ZoneInfo(watch.timezone)
    local = _local(start.astimezone(zone), end.astimezone(zone), start.date())
    level = f"{interval.level * 100:g} %"
    return f"{_span(start, end)} ({local}; {level})" if local else f"{_span(start, end)} ({level})"


def _stopped(watch: Watch, entries: Sequence[ProviderEntry]) -> str:
    """The headline's clause about the providers on which the service stopped working."""
    n = counts(entries)
    stopped = [e for e in entries if e.answer and e.answer.state in STOPPED]
    first = min((e for e in stopped if e.lag and e.answer), key=_onset, default=None)
    lead = "the first " if n.stopped > 1 else ""
    parts = [
        f"{service(watch)} stopped working on {n.stopped}{f' (works again on {n.lifted})' if n.lifted else ''}",
        f"{lead}{lag(first.lag)} the order" if first and first.lag else "",
        *_deadline(watch, stopped),
    ]
    return ", ".join(p for p in parts if p)


def _deadline(watch: Watch, stopped: Sequence[ProviderEntry]) -> list[str]:
    """On which side of the deadline, or of the reporting date, the onsets of `stopped` lie."""
    date = due(watch.directive)
    sides = [e.deadline.before for e in stopped if e.deadline]
    if date is None or not sides:
        return []
    name = _DATES[date.kind]
    if len(set(sides)) == 1 and sides[0] is not None:
        every = "all " if len(sides) > 1 else ""
        return [f"{every}{'before' if sides[0] else 'after'} the {name}"]
    after, astride = sides.count(False), sides.count(None)
    return [
        *([f"{after} after the {name}"] if after else []),
        *([f"{astride} too close to the {name} to tell"] if astride else []),
    ]


def _unmeasured(entries: Sequence[ProviderEntry]) -> str:
    names = [e.name for e in entries if e.answer is None]
    if len(names) > _NAMED_AT_MOST:
        return f"{len(names)} not measured at all"
    return f"not measured at all: {', '.join(names)}"


def _onset(entry: ProviderEntry) -> str:
    onset = entry.answer.onset if entry.answer else None
    return (onset.estimate or onset.latest) if onset else "~"


def _when(watch: Watch, entry: ProviderEntry) -> str:
    """The time of an onset, its lag from the order and its side of the deadline, to follow a clause."""
    onset = entry.answer.onset if entry.answer else None
    if onset is None:
        return ", at a time that can't be given"
    when = f", by {_at(onset.latest)} at the latest" if onset.earliest is None else f" {between(watch, onset)}"
    parts = [when, f"{lag(entry.lag)} the order" if entry.lag else "", _side(entry)]
    return ", ".join(p for p in parts if p)


def _side(entry: ProviderEntry) -> str:
    if entry.deadline is None:
        return ""
    name = _DATES[entry.deadline.kind]
    if entry.deadline.before is None:
        return f"too close to the {name} to tell whether before it"
    return f"{'before' if entry.deadline.before else 'after'} the {name}"


def _already(watch: Watch, entry: ProviderEntry, answer: Answer, what: str) -> str:
    since = f": not since {_at(answer.onset.latest)} at the latest" if answer.onset else ""
    again = _again(watch, answer.lift)
    return f"{what} was already not working on {entry.name} when measuring began{since}.{again}"


def _again(watch: Watch, lift: Interval | None) -> str:
    if lift is None:
        return ""
    if lift.earliest is None:
        return f" It was working again by {_at(lift.latest)}."
    return f" It began to work again {between(watch, lift)}."


def _bracket(answer: Answer) -> str:
    """The last success before the onset and the first failure after it."""
    if not (answer.last_ok and answer.first_fail) or answer.state in ("reachable", "insufficient"):
        return ""
    days = {t[:10] for t in (answer.last_ok, answer.first_fail, answer.onset.latest if answer.onset else "")}
    written = _clock if len(days) == 1 else _at
    return f" Last success {written(answer.last_ok)}, first failure {written(answer.first_fail)}."


def _evidence(answer: Answer) -> str:
    probes, lines = _count(answer.probes, "probe"), _count(answer.lines, "line")
    return f"{_count(answer.measurements, 'measurement')} from {probes} on {lines}."


def _clock(rfc3339: str) -> str:
    return f"{times.moment(rfc3339):%H:%M:%S} UTC"


def _at(rfc3339: str) -> str:
    at = times.moment(rfc3339)
    return f"{_clock(rfc3339)} on {at.day} {at:%b %Y}"


def _span(start: dt.datetime, end: dt.datetime) -> str:
    a, b, day = (*_clocks(start, end), f"{end.day} {end:%b %Y}")
    if start.date() != end.date():
        return f"between {a} UTC on {start.day} {start:%b} and {b} UTC on {day}"
    return f"at {a} UTC on {day}" if a == b else f"between {a} and {b} UTC on {day}"


def _local(start: dt.datetime, end: dt.datetime, utc_day: dt.date) -> str:
    """A span by the country's clock, with its day only where that isn't `utc_day`; "" for a country on UTC."""
    offset = start.utcoffset() or dt.timedelta(0)
    if not offset:
        return ""
    a, b = _clocks(start, end)
    if start.date() != end.date():
        a = f"{a} on {start.day} {start:%b}"
    day = "" if start.date() == end.date() == utc_day else f" on {end.day} {end:%b}"
    return f"{a if a == b else f'{a} to {b}'}{day} local time, {_zone(offset)}"


def _clocks(start: dt.datetime, end: dt.datetime) -> tuple[str, str]:
    """Both times of day, with seconds where they are less than 5 minutes apart."""
    clock = "%H:%M:%S" if end - start < dt.timedelta(minutes=5) else "%H:%M"
    return start.strftime(clock), end.strftime(clock)


def _zone(offset: dt.timedelta) -> str:
    hours, minutes = divmod(abs(offset) // dt.timedelta(minutes=1), 60)
    sign = "+" if offset > dt.timedelta(0) else "-"
    return f"UTC{sign}{hours}" + (f":{minutes:02d}" if minutes else "")


def _two(amount: int, per: int, large: str, small: str) -> str:
    whole, rest = divmod(amount, per)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"

"""`blockonset infer`: answers from files of measurements, computed by the functions that the aggregator uses."""

from __future__ import annotations

import datetime as dt
import sys
import zoneinfo
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
from cyclopts import App, Parameter, Token, UnknownOptionError

from aggregator.inference.answer import common_cause
from aggregator.inference.answer.answer import Answer
from aggregator.inference.curve import curves
from aggregator.inference.files import fields, reading
from aggregator.inference.files.gather import GatheredRows
from aggregator.inference.files.table import table
from aggregator.inference.model import sequential_detector
from aggregator.inference.onset import Analysis, analyse
from aggregator.inference.rows.parameters import DateSpan, Parameters
from aggregator.inference.rows.rows import Rows
from aggregator.inference.sensitivity import picked, sensitivity_of
from aggregator.inference.watch_parameters import directive_dates
from aggregator.watches.served import load
from probe.base import times
from probe.base.console import console
from probe.base.errors import UserError
from probe.protocol.watch import Watch

app = App(name="infer", help="Infer onsets from files of measurements: CSV, JSONL or Parquet.")

SHOWN = 20
"""Skipped rows that are listed one by one; the others are counted."""
MOST_S = 7 * 86400
"""The greatest cadence or lag, seconds."""


@app.default
def infer(
    *files: Annotated[str, Parameter(help='Files of measurements; "-" is standard input.', allow_leading_hyphen=True)],
    as_of: Annotated[str | None, Parameter(help="Use rows received by this time (RFC 3339, or s since 1970).")] = None,
    start: Annotated[str | None, Parameter(help="Use rows measured at this time or later (forms as above).")] = None,
    end: Annotated[str | None, Parameter(help="Use rows measured at this time or earlier (forms as above).")] = None,
    cadence: Annotated[float | None, Parameter(help="Probing interval in s; default: from the rows.")] = None,
    lag: Annotated[float | None, Parameter(help="Mean delay in s with which lines see a block, due to caches.")] = None,
    prior: Annotated[float | None, Parameter(help="Prior probability of a block in the window.")] = None,
    level: Annotated[float, Parameter(help="Probability of the intervals.")] = 0.95,
    watch: Annotated[Path | None, Parameter(help="A watch file, for its directive, lag and upstreams.")] = None,
    order: Annotated[str | None, Parameter(help="When the order was given: a date, or RFC 3339.")] = None,
    deadline: Annotated[str | None, Parameter(help="By when to comply: a date, or RFC 3339.")] = None,
    tz: Annotated[str, Parameter(help="Time zone of --order and --deadline, an IANA name.")] = "UTC",
    format: Annotated[  # noqa: A002 - the option's name
        Literal["csv", "jsonl", "parquet"] | None, Parameter(help="Format of the files. Default: by extension.")
    ] = None,
    json: Annotated[bool, Parameter(help="Print one JSON line per answer.")] = False,
    trace: Annotated[bool, Parameter(help="Print the sequential test's score after each row instead.")] = False,
    sensitivity: Annotated[bool, Parameter(help="Add the answers with other priors, lines and clocks.")] = False,
    curve: Annotated[bool, Parameter(help="Print the share of providers that complied, over time, instead.")] = False,
    skip_bad: Annotated[bool, Parameter(help="Leave bad rows out and list them, instead of stopping.")] = False,
) -> None:
    """Print for each provider when the service stopped working, with an interval, or why that can't be determined."""
    if not files:
        raise UserError("no file given: name files of measurements, or - for standard input together with --format")
    for name in files:
        if name.startswith("-") and len(name) > 1:
            raise UnknownOptionError(
                token=Token(keyword=name, source="cli"), argument_collection=app.assemble_argument_collection()
            )
    skipped: list[str] = []
    report = skipped.append if skip_bad else reading.stop
    rows = GatheredRows(row for file in files for row in reading.read(file, format, report))
    _list_skipped(skipped)
    loaded = _watch(watch, order or deadline)
    dates = directive_dates(loaded) if loaded else _dates(order, deadline, tz)
    parameters = _parameters(loaded, cadence, lag, prior, level, start, end, dates, tz)
    groups = _received_by(rows, _time_ms("--as-of", as_of))
    if trace:
        _print_trace(groups)
    elif curve:
        _print_curve([analyse(r, parameters) for r in groups], dates)
    else:
        analyses = [(analyse(r, parameters), _extra(r, parameters, sensitivity=sensitivity)) for r in groups]
        upstreams = {p.id: p.upstreams for p in loaded.providers} if loaded else {}
        answers = common_cause.marked([a.answer for a, _ in analyses], [a.cadence_ms for a, _ in analyses], upstreams)
        _print(answers, [extra for _, extra in analyses], json=json)


def _extra(rows: Rows, parameters: Parameters, *, sensitivity: bool) -> dict[str, object]:
    """What is printed beside an answer, by name."""
    return {"sensitivity": sensitivity_of(rows, parameters)} if sensitivity else {}


def _time_ms(option: str, text: str | None) -> int | None:
    """The time given for an option, ms. Raises UserError."""
    try:
        return None if text is None else fields.time_ms(text)
    except ValueError as e:
        raise UserError(f"{option}: {e}") from e


def _watch(path: Path | None, order_or_deadline: str | None) -> Watch | None:
    if path and order_or_deadline:
        raise UserError("give either --watch, or --order and --deadline: a watch has dates of its own")
    return load(path).watch if path else None


def _dates(order: str | None, deadline: str | None, tz: str) -> tuple[DateSpan, ...]:
    """The dates of the command line; a date without a time is a whole day in the zone `tz`."""
    try:
        zone = zoneinfo.ZoneInfo(tz)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise UserError(f"--tz: unknown time zone {tz!r} (give a name such as Asia/Ho_Chi_Minh)") from None
    given = (("--order", "issued", order), ("--deadline", "block_by", deadline))
    return tuple(_date(option, kind, text, zone) for option, kind, text in given if text is not None)


def _date(option: str, kind: str, text: str, zone: zoneinfo.ZoneInfo) -> DateSpan:
    """One date of the command line. Raises UserError."""
    try:
        if len(text) == len("2025-06-02") and text[4:5] == "-":
            day = dt.datetime.fromisoformat(text).replace(tzinfo=zone)
            after = (day + dt.timedelta(days=1)).astimezone(dt.UTC)
            return DateSpan(kind, text, times.milliseconds(day), times.milliseconds(after))
        at = fields.time_ms(text)
    except ValueError as e:
        raise UserError(f"{option}: {e}") from e
    return DateSpan(kind, text, at, at)


def _parameters(
    watch: Watch | None, cadence: float | None, lag: float | None, prior: float | None, level: float,
    start: str | None, end: str | None, dates: tuple[DateSpan, ...], tz: str,
) -> Parameters:  # fmt: skip
    """The parameters from the options and the watch. Raises UserError for a value out of range."""
    if cadence is not None and not 0 < cadence <= MOST_S:
        raise UserError(f"--cadence: {cadence:g} is out of range; give more than 0 and at most {MOST_S} seconds")
    if lag is not None and not 0 <= lag <= MOST_S:
        raise UserError(f"--lag: {lag:g} is out of range; give 0 to {MOST_S} seconds")
    if prior is not None and not 0 < prior < 1:
        raise UserError(f"--prior: {prior:g} is out of range; give a probability above 0 and below 1")
    if not 0.5 <= level < 1:
        raise UserError(f"--level: {level:g} is out of range; give a probability of at least 0.5 and below 1")
    lag_s = lag if lag is not None else watch.dns_lag_s if watch else Parameters().lag_s
    start_ms, end_ms = _time_ms("--start", start), _time_ms("--end", end)
    if start_ms is not None and end_ms is not None and start_ms >= end_ms:
        raise UserError("--start must be before --end")
    return Parameters(
        cadence_s=cadence,
        lag_s=lag_s,
        prior=prior,
        level=level,
        start_ms=start_ms,
        end_ms=end_ms,
        dates=dates,
        timezone=watch.timezone if watch else tz,
    )


def _received_by(groups: GatheredRows, as_of: int | None) -> Iterator[Rows]:
    """The rows of each group that were received by `as_of`, ms; groups without any are left out."""
    for rows in groups:
        kept = rows if as_of is None else picked(rows, rows.received <= as_of)
        if kept.at.size:
            yield kept


def _list_skipped(skipped: list[str]) -> None:
    """Lists on standard error the first SHOWN of the problems for which rows were left out, and their number."""
    for problem in skipped[:SHOWN]:
        sys.stderr.write(f"skipped {problem}\n")
    if len(skipped) > SHOWN:
        sys.stderr.write(f"skipped {len(skipped) - SHOWN} more\n")
    if skipped:
        sys.stderr.write(f"skipped in all: {len(skipped)} rows\n")


def _print(answers: list[Answer], extras: list[dict[str, object]], *, json: bool) -> None:
    if json:
        for answer, extra in zip(answers, extras, strict=True):
            line = {**msgspec.to_builtins(answer), **extra}
            sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        return
    output = console()
    output.print(table(answers))
    for answer, extra in zip(answers, extras, strict=True):
        if extra:
            output.print(f"{answer.provider}: {msgspec.json.encode(extra).decode()}")


def _print_trace(groups: Iterator[Rows]) -> None:
    """The scores after each row of all providers, in order of arrival, ties by (at, probe)."""
    keys, parts = [], []
    for rows in groups:
        keys.append((rows.watch, rows.provider))
        parts.append((np.full(rows.at.size, len(keys) - 1), *sequential_detector.trace(rows)))
    if not parts:
        return
    group, received, at, probe, score = (np.concatenate(column) for column in zip(*parts, strict=True))
    for i in np.lexsort((np.arange(at.size), probe, at, received)).tolist():
        watch, provider = keys[int(group[i])]
        arrived = times.text(int(received[i]))
        line = {"watch": watch, "provider": provider, "received": arrived, "score": float(score[i])}
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")


def _print_curve(analyses: list[Analysis], dates: tuple[DateSpan, ...]) -> None:
    for line in curves(analyses, dates):
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")

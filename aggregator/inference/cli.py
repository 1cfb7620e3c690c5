"""`blockonset infer`: answers from a file of measurements, by the functions that the aggregator uses."""

from __future__ import annotations

import datetime as dt
import sys
import zoneinfo
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
from cyclopts import App, Parameter
from rich.console import Console

from aggregator.inference import curve
from aggregator.inference import sensitivity as sensitivities
from aggregator.inference.answer import common_cause
from aggregator.inference.answer.answer import Answer
from aggregator.inference.files import fields, reading, table
from aggregator.inference.files.gather import GatheredRows
from aggregator.inference.model import sequential_test
from aggregator.inference.onset import Analysis, analyse
from aggregator.inference.rows.parameters import DateSpan, Parameters
from aggregator.inference.rows.rows import Rows
from aggregator.inference.watch_parameters import directive_dates
from aggregator.watches.served import load
from probe.base import times
from probe.base.errors import UserError
from probe.protocol.watch import Watch

app = App(name="infer", help="Infer onsets from files of measurements: CSV, JSONL or Parquet.")

SHOWN = 20
"""Skipped rows that are listed one by one; the others are counted."""
WIDE = 200

Moment = Annotated[str | None, Parameter(help="RFC 3339, or seconds since 1970.")]


@app.default
def infer(
    *files: Annotated[str, Parameter(help='Files, "-" for standard input.', allow_leading_hyphen=True)],
    as_of: Annotated[str | None, Parameter(help="Read only rows received by then (RFC 3339 or seconds).")] = None,
    start: Moment = None,
    end: Moment = None,
    cadence: Annotated[float | None, Parameter(help="Probing interval in s; default: each probe's median gap.")] = None,
    lag: Annotated[float | None, Parameter(help="Mean delay in s with which caches show a block.")] = None,
    prior: Annotated[float | None, Parameter(help="Prior probability of a block in the window.")] = None,
    level: Annotated[float, Parameter(help="Probability of the intervals.")] = 0.95,
    watch: Annotated[Path | None, Parameter(help="A watch: its directive, lag and upstreams.")] = None,
    order: Annotated[str | None, Parameter(help="When the order was given: a date, or RFC 3339.")] = None,
    deadline: Annotated[str | None, Parameter(help="By when to comply: a date, or RFC 3339.")] = None,
    tz: Annotated[str, Parameter(help="Time zone of --order and --deadline.")] = "UTC",
    format: Annotated[Literal["csv", "jsonl", "parquet"] | None, Parameter(help="Default: by extension.")] = None,  # noqa: A002 - the option's name
    json: Annotated[bool, Parameter(help="One JSON line for each answer.")] = False,
    trace: Annotated[bool, Parameter(help="Print the sequential score after each row instead.")] = False,
    sensitivity: Annotated[bool, Parameter(help="Add how the answer changes with prior, lines and clocks.")] = False,
    curve: Annotated[bool, Parameter(help="Print the share of providers that complied by each time instead.")] = False,
    skip_bad: Annotated[bool, Parameter(help="Leave bad rows out, and list them, instead of stopping.")] = False,
) -> None:
    """Say for each provider when the service stopped working, with an interval, or why that can't be said."""
    if not files:
        raise UserError("name a file of measurements, or - for standard input (with --format)")
    for name in files:
        if name.startswith("-") and len(name) > 1:
            raise UserError(f"unknown option {name}; blockonset infer --help tells what there is")
    skipped: list[str] = []
    report = skipped.append if skip_bad else reading.stop
    rows = GatheredRows(row for file in files for row in reading.read(file, format, report))
    _list_skipped(skipped)
    found_watch = _watch(watch, order or deadline)
    dates = directive_dates(found_watch) if found_watch else _dates(order, deadline, tz)
    parameters = _parameters(found_watch, cadence, lag, prior, level, start, end, dates, tz)
    groups = _known(rows, _moment("--as-of", as_of))
    if trace:
        _print_trace(groups)
    elif curve:
        _print_curve([analyse(r, parameters) for r in groups], dates)
    else:
        found = [(analyse(r, parameters), _more(r, parameters, wanted=sensitivity)) for r in groups]
        upstreams = {p.id: p.upstreams for p in found_watch.providers} if found_watch else {}
        answers = common_cause.marked([a.answer for a, _ in found], [a.cadence_ms for a, _ in found], upstreams)
        _print(answers, [more for _, more in found], json=json)


def _more(rows: Rows, parameters: Parameters, *, wanted: bool) -> dict[str, object]:
    return {"sensitivity": sensitivities.sensitivity(rows, parameters)} if wanted else {}


def _moment(name: str, text: str | None) -> int | None:
    try:
        return None if text is None else fields.time_ms(text)
    except ValueError as e:
        raise UserError(f"{name}: {e}") from e


def _watch(path: Path | None, also: str | None) -> Watch | None:
    if path and also:
        raise UserError("give --watch, or --order and --deadline, not both: a watch names its own dates")
    return load(path).watch if path else None


def _dates(order: str | None, deadline: str | None, tz: str) -> tuple[DateSpan, ...]:
    """The dates of the command line; a bare date is a day of the zone `tz`."""
    try:
        zone = zoneinfo.ZoneInfo(tz)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise UserError(f"--tz: unknown time zone {tz!r} (give a name such as Asia/Ho_Chi_Minh)") from None
    given = (("--order", "issued", order), ("--deadline", "block_by", deadline))
    return tuple(_date(name, kind, text, zone) for name, kind, text in given if text is not None)


def _date(name: str, kind: str, text: str, zone: zoneinfo.ZoneInfo) -> DateSpan:
    try:
        if len(text) == len("2025-06-02") and text[4:5] == "-":
            day = dt.datetime.fromisoformat(text).replace(tzinfo=zone)
            after = (day + dt.timedelta(days=1)).astimezone(dt.UTC)
            return DateSpan(kind, text, times.milliseconds(day), times.milliseconds(after))
        at = fields.time_ms(text)
    except ValueError as e:
        raise UserError(f"{name}: {e}") from e
    return DateSpan(kind, text, at, at)


def _parameters(
    watch: Watch | None, cadence: float | None, lag: float | None, prior: float | None, level: float,
    start: str | None, end: str | None, dates: tuple[DateSpan, ...], tz: str,
) -> Parameters:  # fmt: skip
    if cadence is not None and not 0 < cadence <= 7 * 86400:
        raise UserError(f"--cadence: {cadence:g} is not between 0 and 604800 seconds")
    if lag is not None and not 0 <= lag <= 7 * 86400:
        raise UserError(f"--lag: {lag:g} is not between 0 and 604800 seconds")
    if prior is not None and not 0 < prior < 1:
        raise UserError(f"--prior: {prior:g} is not between 0 and 1")
    if not 0.5 <= level < 1:
        raise UserError(f"--level: {level:g} is not between 0.5 and 1")
    lag_s = lag if lag is not None else watch.dns_lag_s if watch else Parameters().lag_s
    start_ms, end_ms = _moment("--start", start), _moment("--end", end)
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


def _known(groups: GatheredRows, as_of: int | None) -> Iterator[Rows]:
    for rows in groups:
        kept = rows if as_of is None else sensitivities.picked(rows, rows.received <= as_of)
        if kept.at.size:
            yield kept


def _list_skipped(skipped: list[str]) -> None:
    for complaint in skipped[:SHOWN]:
        sys.stderr.write(f"skipped {complaint}\n")
    if len(skipped) > SHOWN:
        sys.stderr.write(f"skipped {len(skipped) - SHOWN} more\n")
    if skipped:
        sys.stderr.write(f"skipped in all: {len(skipped)} rows\n")


def _print(answers: list[Answer], more: list[dict[str, object]], *, json: bool) -> None:
    if json:
        for answer, extra in zip(answers, more, strict=True):
            line = {**msgspec.to_builtins(answer), **extra}
            sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        return
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    console.print(table.table(answers))
    for answer, extra in zip(answers, more, strict=True):
        if extra:
            console.print(f"{answer.provider}: {msgspec.json.encode(extra).decode()}")


def _print_trace(groups: Iterator[Rows]) -> None:
    """All providers' rows in one order of arrival, ties by (at, probe)."""
    keys, parts = [], []
    for rows in groups:
        keys.append((rows.watch, rows.provider))
        parts.append((np.full(rows.at.size, len(keys) - 1), *sequential_test.trace(rows)))
    if not parts:
        return
    group, received, at, probe, score = (np.concatenate(column) for column in zip(*parts, strict=True))
    for i in np.lexsort((np.arange(at.size), probe, at, received)).tolist():
        (watch, provider), when = keys[int(group[i])], times.text(int(received[i]))
        line = {
            "watch": watch,
            "provider": provider,
            "received": when,
            "score": float(score[i]),
        }
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")


def _print_curve(found: list[Analysis], dates: tuple[DateSpan, ...]) -> None:
    for line in curve.curves(found, dates):
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")

"""Reading measurements from CSV, JSONL or Parquet. Errors name the file, the line and the column."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from aggregator.inference.files import fields
from aggregator.inference.files.fields import FieldError, FileRow
from probe.base.errors import UserError

FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".pq": "parquet"}
Report = Callable[[str], None]
"""Takes one problem, `FILE:LINE:COLUMN: what is wrong`."""


def stop(problem: str) -> None:
    """The report that stops at the first problem. Raises UserError."""
    raise UserError(f"{problem} (--skip-bad leaves such rows out)")


def read(path: str, form: str | None, report: Report = stop) -> Iterator[FileRow]:
    """The rows of one file; "-" is standard input. `form`: its format, None to go by the extension.

    `report` is called with the problem of each bad row; if it returns, the row is left out.
    Raises UserError for a file that can't be read or whose columns or format are wrong.
    """
    kind = form or FORMATS.get(Path(path).suffix.lower())
    if kind is None:
        raise UserError(f"{path}: unknown file format: give --format csv, jsonl or parquet")
    try:
        with _open(path) as file:
            yield from {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}[kind](file, path, report)
    except OSError as e:
        raise UserError(f"{path}: can't be read: {e.strerror or e}") from e


def _open(path: str) -> BinaryIO:
    if path == "-":
        return io.BytesIO(sys.stdin.buffer.read()) if not sys.stdin.buffer.seekable() else sys.stdin.buffer
    return Path(path).open("rb")


def _columns(names: list[str], where: str) -> None:
    """Raises UserError unless every required column occurs, and no known column twice."""
    for name in fields.REQUIRED:
        if name not in names:
            raise UserError(f"{where}:{name}: the column is missing; required are {', '.join(fields.REQUIRED)}")
    for name in (*fields.REQUIRED, *fields.OPTIONAL):
        if names.count(name) > 1:
            raise UserError(f"{where}:{name}: the column occurs twice")


def _parsed(values: dict[str, Any], where: str, report: Report) -> FileRow | None:
    """The row, or None after a report if it is bad; `where` is `FILE:LINE`."""
    try:
        return fields.row(values)
    except FieldError as e:
        report(f"{where}:{e.column}: {e}")
        return None


def _csv(file: BinaryIO, path: str, report: Report) -> Iterator[FileRow]:
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    reader = csv.reader(text, strict=True)
    line = 1
    try:
        names = [n.strip() for n in next(reader, [])]
        _columns(names, f"{path}:1")
        for cells in reader:
            line = reader.line_num
            if not cells:
                continue
            if len(cells) != len(names):
                report(f"{path}:{line}:{names[min(len(cells), len(names) - 1)]}: {len(cells)} cells, not {len(names)}")
                continue
            row = _parsed(dict(zip(names, cells, strict=True)), f"{path}:{line}", report)
            if row:
                yield row
    except csv.Error as e:
        raise UserError(f"{path}:{reader.line_num}: not CSV: {e}") from e
    except UnicodeDecodeError as e:
        raise UserError(f"{path}:{line + 1}: not UTF-8: {e.reason}") from e
    finally:
        text.detach()


def _jsonl(file: BinaryIO, path: str, report: Report) -> Iterator[FileRow]:
    for line, raw in enumerate(file, 1):
        if not raw.strip():
            continue
        where = f"{path}:{line}"
        try:
            values = json.loads(raw)
        except (UnicodeDecodeError, ValueError, RecursionError) as e:
            report(f"{where}: not JSON: {e}")
            continue
        if not isinstance(values, dict):
            report(f"{where}: not a JSON object")
            continue
        row = _parsed(values, where, report)
        if row:
            yield row


def _parquet(file: BinaryIO, path: str, report: Report) -> Iterator[FileRow]:
    import pyarrow as pa  # noqa: PLC0415 - slow to load, and CSV needs none of it
    from pyarrow import parquet  # noqa: PLC0415

    try:
        table = parquet.ParquetFile(file)
        names = list(table.schema_arrow.names)
        _columns(names, f"{path}:1")
        used = [n for n in names if n in (*fields.REQUIRED, *fields.OPTIONAL)]
        line = 0
        for batch in table.iter_batches(batch_size=8192, columns=used):
            for values in batch.to_pylist():
                line += 1
                row = _parsed(values, f"{path}:{line}", report)
                if row:
                    yield row
    except pa.ArrowException as e:
        raise UserError(f"{path}: not Parquet: {str(e).splitlines()[0]}") from e

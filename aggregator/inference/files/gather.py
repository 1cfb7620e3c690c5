"""Rows sorted into groups, one for each (watch, provider, surface), in bounded memory.

Rows come in any order. Each block of them is sorted by group and written as fixed-size records to a temporary file that
stays in memory while it is small; each distinct text is kept once, and records refer to it by number. Afterwards each
group is read back whole.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aggregator.inference.files.fields import FileRow
from aggregator.inference.rows.rows import Rows

BLOCK = 100_000
"""Rows held before they are sorted and written."""
IN_MEMORY = 64 << 20
"""Bytes of records that are kept in memory before the file goes to disk."""
RECORD = np.dtype([
    ("group", "<i4"), ("probe", "<i4"), ("line", "<i4"), ("method", "<i4"), ("at", "<i8"), ("received", "<i8"),
    ("share_failed", "<f8"), ("speed", "<f8"), ("outcome", "i1"), ("control", "i1"), ("reference", "i1"),
])  # fmt: skip


class RowGroup(NamedTuple):
    """The key of a group: what one answer is about."""

    watch: str
    provider: str
    surface: str


class GatheredRows:
    """All rows of some files, by group."""

    def __init__(self, rows: Iterable[FileRow]) -> None:
        """Reads all rows."""
        self._numbers: dict[str, int] = {"": 0}
        self._groups: dict[RowGroup, int] = {}
        self._parts: dict[int, list[tuple[int, int]]] = {}
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - lives as long as this object
        self._size = 0
        block: list[tuple[int | float, ...]] = []
        for row in rows:
            block.append(self._record(row))
            if len(block) == BLOCK:
                self._write(block)
                block = []
        self._write(block)
        self._texts = list(self._numbers)

    def groups(self) -> list[RowGroup]:
        """All groups, sorted."""
        return sorted(self._groups)

    def rows(self, group: RowGroup) -> Rows:
        """The rows of one group."""
        parts = []
        for offset, count in self._parts[self._groups[group]]:
            self._file.seek(offset)
            parts.append(np.frombuffer(self._file.read(count * RECORD.itemsize), RECORD))
        r = np.concatenate(parts)
        return Rows(
            **group._asdict(),
            probe=self._text_of(r["probe"]),
            line=self._text_of(r["line"]),
            at=np.ascontiguousarray(r["at"]),
            received=np.ascontiguousarray(r["received"]),
            outcome=np.ascontiguousarray(r["outcome"]),
            method=self._text_of(r["method"]),
            share_failed=np.ascontiguousarray(r["share_failed"]),
            speed=np.ascontiguousarray(r["speed"]),
            control=np.ascontiguousarray(r["control"]),
            reference=np.ascontiguousarray(r["reference"]),
        )

    def __iter__(self) -> Iterator[Rows]:
        """The rows of each group, groups sorted."""
        return (self.rows(group) for group in self.groups())

    def _record(self, r: FileRow) -> tuple[int | float, ...]:
        group = self._groups.setdefault(RowGroup(r.watch, r.provider, r.surface), len(self._groups))
        numbers = self._numbers
        probe, line, method = (numbers.setdefault(text, len(numbers)) for text in (r.probe, r.line, r.method))
        return (
            group, probe, line, method, r.at, r.received, r.share_failed, r.speed, r.outcome, r.control, r.reference,
        )  # fmt: skip

    def _write(self, block: list[tuple[int | float, ...]]) -> None:
        if not block:
            return
        records = np.array(block, RECORD)
        records = records[np.argsort(records["group"], kind="stable")]
        groups, firsts = np.unique(records["group"], return_index=True)
        counts = np.diff(np.append(firsts, records.size))
        self._file.seek(self._size)
        self._file.write(records.tobytes())
        for group, first, count in zip(groups.tolist(), firsts.tolist(), counts.tolist(), strict=True):
            self._parts.setdefault(group, []).append((self._size + first * RECORD.itemsize, count))
        self._size += records.nbytes

    def _text_of(self, numbers: npt.NDArray[np.int32]) -> npt.NDArray[np.str_]:
        """The texts of these numbers; the array's items are as wide as the longest of them."""
        distinct, index = np.unique(numbers, return_inverse=True)
        return np.array([self._texts[i] for i in distinct.tolist()], np.str_)[index]

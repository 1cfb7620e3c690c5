"""How the aggregator judges runs: with its ingest, a store of its own, and the newest rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aggregator.intake.ingest import IncomingSegment, Ingest
from aggregator.judging import rule_set
from aggregator.store.store import Store
from probe.protocol import segment
from probe.protocol.keys import Key

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from probe.protocol.measurement import Measurement
    from probe.protocol.watch import Watch

Run = tuple["Measurement", ...]
_BATCH_SIZE = 256
"""Segments per batch. Planning the query takes a third of a second per batch, whatever its size."""
_END_MS = 4_102_444_800_000
"""The end of the period that is read, milliseconds since the epoch: the year 2100."""
_ROW_LIMIT = 1_000_000
_NEAR_MS = 600_000
"""How near in time a reference's run must be to count for a run: the shipped watch's cadence."""


class RunVerdict(NamedTuple):
    """The verdict on one run and surface."""

    surface: str
    verdict: str
    method: str
    rule: str


class Judge:
    """Judges runs with the newest rule set in a store of its own, in `folder`. Close it at the end."""

    def __init__(self, folder: Path) -> None:
        self._store = Store.open(f"chdb://{folder.absolute()}")
        self.rule_set = rule_set.load(rule_set.newest())
        self._operator = Key.create("operator")

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def judge(
        self, watch: Watch, runs: Sequence[Run], references: Sequence[Run] = (), provider: str = ""
    ) -> list[RunVerdict]:
        """The verdicts on runs of one provider (by default the watch's first): one for each run and surface.

        `references` are runs of reference probes at the same time.
        Raises StoreError; ValueError when a segment was refused.
        """
        provider = provider or watch.providers[0].id
        ingest = Ingest(self._store, self._operator, {watch.id: watch}, self.rule_set)
        for of_probe in (references, runs):
            sealed = list(_sealed(of_probe, Key.create("user")))
            for n in range(0, len(sealed), _BATCH_SIZE):
                ingest.take(sealed[n : n + _BATCH_SIZE])
        wanted = {run[0].run_id for run in runs}
        verdicts = [v for surface in watch.surfaces.names() for v in self._verdicts(watch, provider, surface, wanted)]
        if len(verdicts) != len(wanted) * len(watch.surfaces.names()):
            raise ValueError(f"{watch.id}: {len(verdicts)} verdicts on {len(wanted)} runs")
        return verdicts

    def _verdicts(self, watch: Watch, provider: str, surface: str, wanted: Collection[str]) -> Iterator[RunVerdict]:
        """The verdicts on these runs on one surface, with the references of their time taken into account."""
        rows = self._store.read(
            "series", watch=watch.id, provider=provider, surface=surface, rule_set=self.rule_set.version,
            as_of=_END_MS, start=0, end=_END_MS, near_ms=_NEAR_MS, after_at=0, after_run="", limit=_ROW_LIMIT,
        )  # fmt: skip
        for row in rows:
            if row["run"] in wanted:
                method = row["method"] if row["outcome"] == "blocked" else ""
                yield RunVerdict(surface, row["outcome"], method, row["rule"])


def _sealed(runs: Sequence[Run], probe: Key) -> Iterator[IncomingSegment]:
    for number, run in enumerate(runs, 1):
        yield IncomingSegment(probe.id, segment.seal(run, probe, number, run[0].at_ms).raw)

"""What the aggregator makes of runs: the real ingest, a real store, the rules in force."""

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
_AT_ONCE = 256
"""Segments in a batch. To judge one takes a third of a second of planning, however many are in it."""
_END_MS = 4_102_444_800_000
_MOST = 1_000_000
_NEAR_MS = 600_000
"""How near a reference's run must be to speak for the service, as wide as the shipped watch's cadence."""


class RunVerdict(NamedTuple):
    """What was said of one run and surface."""

    surface: str
    verdict: str
    method: str
    rule: str


class Judge:
    """A store of its own in `folder`, for as long as it is entered."""

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
        """What is said of each of these runs, which are of one provider: by default the watch's first.

        Raises StoreError; ValueError when a segment was refused.
        """
        place = provider or watch.providers[0].id
        ingest = Ingest(self._store, self._operator, {watch.id: watch}, self.rule_set)
        for made in (references, runs):
            sealed = list(_sealed(made, Key.create("user")))
            for n in range(0, len(sealed), _AT_ONCE):
                ingest.take(sealed[n : n + _AT_ONCE])
        wanted = {run[0].run_id for run in runs}
        found = [s for surface in watch.surfaces.names() for s in self._said(watch, place, surface, wanted)]
        if len(found) != len(wanted) * len(watch.surfaces.names()):
            raise ValueError(f"{watch.id}: {len(found)} verdicts on {len(wanted)} runs")
        return found

    def _said(self, watch: Watch, provider: str, surface: str, wanted: Collection[str]) -> Iterator[RunVerdict]:
        """What was said of these runs on one surface, beside the references of their time."""
        rows = self._store.read(
            "series", watch=watch.id, provider=provider, surface=surface, rule_set=self.rule_set.version,
            as_of=_END_MS, start=0, end=_END_MS, near_ms=_NEAR_MS, after_at=0, after_run="", limit=_MOST,
        )  # fmt: skip
        for row in rows:
            if row["run"] in wanted:
                method = row["method"] if row["outcome"] == "blocked" else ""
                yield RunVerdict(surface, row["outcome"], method, row["rule"])


def _sealed(runs: Sequence[Run], probe: Key) -> Iterator[IncomingSegment]:
    for number, run in enumerate(runs, 1):
        yield IncomingSegment(probe.id, segment.seal(run, probe, number, run[0].at_ms).raw)

"""What the aggregator makes of runs: the real ingest, a real store, the rules in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aggregator import rules
from aggregator.ingest import Incoming, Ingest
from aggregator.store import Store
from probe import segment
from probe.keys import Key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from probe.measurement import Measurement
    from probe.watch import Watch

Run = tuple["Measurement", ...]
_AT_ONCE = 64
_NEAR_MS = 600_000
"""How near a reference's run must be to speak for the service, as wide as the shipped watch's cadence."""


class Said(NamedTuple):
    """What was said of one run and surface."""

    surface: str
    verdict: str
    method: str
    rule: str


class Court:
    """A store of its own in `folder`, for as long as it is entered."""

    def __init__(self, folder: Path) -> None:
        self._store = Store.open(f"chdb://{folder.absolute()}")
        self.rule_set = rules.load(rules.newest())
        self._operator = Key.create("operator")

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def judge(self, watch: Watch, runs: Sequence[Run], references: Sequence[Run] = ()) -> list[Said]:
        """What is said of each of these runs. Raises StoreError; ValueError when a segment was refused."""
        ingest = Ingest(self._store, self._operator, {watch.id: watch}, self.rule_set)
        for made in (references, runs):
            sealed = list(_sealed(made, Key.create("user")))
            for n in range(0, len(sealed), _AT_ONCE):
                ingest.take(sealed[n : n + _AT_ONCE])
        found = [s for run in runs for s in self._of(watch, run)]
        return self._beside_references(watch, found) if references else found

    def _of(self, watch: Watch, run: Run) -> Iterator[Said]:
        provider, run_id = watch.providers[0].id, run[0].run_id
        rows = self._store.read("run_verdicts", watch=watch.id, provider=provider, run_id=run_id)
        if {r["surface"] for r in rows} != set(watch.surfaces.names()):
            raise ValueError(f"run {run_id} of {watch.id}: judged on {[r['surface'] for r in rows]}")
        for row in rows:
            yield Said(row["surface"], row["verdict"], row["method"], row["rule"])

    def _beside_references(self, watch: Watch, found: list[Said]) -> list[Said]:
        """The same, with those that the references turn into `down`."""
        told = []
        for surface in watch.surfaces.names():
            named = {"watch": watch.id, "provider": watch.providers[0].id, "surface": surface}
            rows = self._store.read("judged_verdicts", **named, rule_set=self.rule_set.version, near_ms=_NEAR_MS)
            down = sum(r["verdict"] == "down" for r in rows)
            mine = sorted((s for s in found if s.surface == surface), key=lambda s: s.verdict != "blocked")
            told += [s._replace(verdict="down", method="", rule="service-down") for s in mine[:down]] + mine[down:]
        return told


def _sealed(runs: Sequence[Run], probe: Key) -> Iterator[Incoming]:
    for number, run in enumerate(runs, 1):
        yield Incoming(probe.id, segment.seal(run, probe, number, run[0].at_ms).raw)

"""`python -m infra.bench.onset`: runs the benchmark and writes docs/benchmark-onset.md."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from aggregator.inference.answer.answer import Answer
from aggregator.inference.onset import infer
from aggregator.inference.rows.parameters import Parameters
from infra.bench.onset import online, report
from infra.bench.onset.online import Traced
from infra.bench.onset.rivals import RIVALS
from infra.bench.onset.score import Guess, score
from infra.bench.onset.simulate import CLEAN, STRESS, Fleet, SimulatedProvider, SimulatedTruth, global_outages, provider
from probe.base import times

HELD_OUT = (9001, 9002)
"""Seeds of the printed table. The model's constants were tuned on seeds 1 to 99."""
OURS = "this model"
PARAMETERS = Parameters()
FLEETS = (
    CLEAN,
    STRESS,
    replace(CLEAN, name="clean, no hidden outages", hidden_outages=0.0),
    replace(STRESS, name="stress, no hidden outages", hidden_outages=0.0),
    replace(CLEAN, name="no controls, no arrival times", control_known=0.0, received_known=0.0, outages=0.0),
    replace(CLEAN, name="no DNS lag", lagged=0.0),
    replace(STRESS, name="stress, every provider lags", lagged=1.0),
    replace(CLEAN, name="on and off, scheduled", shapes={"none": 0.4, "intermittent": 0.3, "scheduled": 0.3}),
    replace(CLEAN, name="throttled", shapes={"none": 0.5, "throttled": 0.5}),
)
WITH_RIVALS, WITH_TRACES = 2, 4
"""The rivals run on the first so many fleets, the sequential tests on the first so many."""

app = App(help="Benchmark the onset inference on simulated fleets.")


def _milliseconds(text: str | None) -> int | None:
    return None if text is None else times.milliseconds(times.moment(text))


def guess(answer: Answer) -> Guess:
    """An answer as a guess. Where the onset is left-censored its latest time stands for the estimate."""
    if answer.onset is None:
        return Guess(None)
    latest = _milliseconds(answer.onset.latest)
    estimate = _milliseconds(answer.onset.estimate) if answer.onset.estimate else latest
    return Guess(estimate, _milliseconds(answer.onset.earliest), latest, answer.state != "suspected")


Job = tuple[Fleet, int, int, int]
"""A fleet, a seed, the number of a provider, and the fleet's place among FLEETS."""
Done = tuple[str, SimulatedTruth, dict[str, tuple[Guess, float]], dict[str, Traced]]


def _one(job: Job) -> Done:
    """All methods on one provider: each one's guess and its seconds of processor time, and the scores online."""
    fleet, seed, number, place = job
    case: SimulatedProvider = provider(fleet, seed, number, global_outages(fleet, seed))
    started = time.process_time()
    guesses = {OURS: (guess(infer(case.rows, PARAMETERS)), time.process_time() - started)}
    traces: dict[str, Traced] = {}
    if place < WITH_RIVALS:
        for name, method in RIVALS.items():
            started = time.process_time()
            guesses[name] = (method(case.rows, case.truth.cadence_ms), time.process_time() - started)
    if place < WITH_TRACES:
        traces = {OURS: online.ours(case), "pooled CUSUM": online.cusum(case)}
    return fleet.name, case.truth, guesses, traces


def _jobs(fleets: Iterable[Fleet], seeds: Iterable[int], providers: int) -> list[Job]:
    return [
        (fleet, seed, number, place)
        for place, fleet in enumerate(fleets)
        for seed in seeds
        for number in range(providers)
    ]


@app.default
def main(
    *,
    providers: Annotated[int, Parameter(help="Providers in each fleet.")] = 200,
    seeds: Annotated[tuple[int, ...], Parameter(help="Seeds.")] = HELD_OUT,
    workers: Annotated[int, Parameter(help="Processes.")] = 2,
    out: Annotated[Path, Parameter(help="Where to write.")] = Path("docs/benchmark-onset.md"),
) -> None:
    """Run every method on every fleet and write the tables."""
    with ProcessPoolExecutor(workers) as pool:
        done = list(pool.map(_one, _jobs(FLEETS, seeds, providers), chunksize=5))
    tables = []
    for fleet in FLEETS:
        mine = [d for d in done if d[0] == fleet.name]
        names = list(mine[0][2])
        lines = [
            report.MethodRow(
                name,
                score([(truth, guesses[name][0]) for _, truth, guesses, _ in mine]),
                sorted(guesses[name][1] for _, _, guesses, _ in mine),
            )
            for name in names
        ]
        tests = {name: online.online([d[3][name] for d in mine]) for name in mine[0][3]}
        tables.append(report.FleetTable(fleet, lines, tests))
    text = report.text(tables, seeds, providers)
    out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    app()

"""A throttled provider, from the measurement to the answer: real probes, the shipped rules, a real store."""

from __future__ import annotations

import asyncio
import time

import pytest

from aggregator.answers.reviser import AnswerKey, Reviser
from aggregator.inference.onset import infer
from aggregator.intake.ingest import IncomingSegment, Ingest
from aggregator.judging import rule_set
from aggregator.store.store import Store
from infra.lab import scenario
from probe.base import times
from probe.measure.run import measure
from probe.place.vantage import configured
from probe.protocol import segment
from probe.protocol.keys import Key
from probe.protocol.measurement import Vantage
from tests.infra.lab.conftest import country

SCENARIO = scenario.FOLDER / "throttled.toml"
RUNS = 4
"""Sweeps on each line before the onset, and as many after it."""
LINES = {"dunmarrow-fixed": 2, "thessamy-mobile": 1}


async def sweeps(running, start_ms, first):
    """Runs on every line, one after the other, with times a cadence apart: (line, run)."""
    cadence_ms = round(running.watch.cadence_s * 1000)

    async def one(provider, number):
        line = f"{provider}-{number}"
        network, about = running.network(line), scenario.load("throttled").provider(provider)
        vantage = configured(Vantage(asn=about.asn, access=about.access, line=line))
        of_line = []
        for n in range(first, first + RUNS):
            at_ms = start_ms + n * cadence_ms
            of_line.append((line, await measure(running.watch, network, vantage, now_ms=lambda at=at_ms: at)))
        return of_line

    lines = [one(p, n) for p, count in LINES.items() for n in range(1, count + 1)]
    return [pair for of_line in await asyncio.gather(*lines) for pair in of_line]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """The final answers for the web surface, by provider, and the time of the first throttled run in ms."""
    folder, zero = tmp_path_factory.mktemp("throttled"), time.time()
    onset_s = scenario.load("throttled").provider("dunmarrow-fixed").block.onset_s
    start_ms = round((zero - 3600) * 1000)
    with country(SCENARIO, folder / "before", round((zero + 3600) * 1000)) as running:
        runs = asyncio.run(sweeps(running, start_ms, 0))
    with country(SCENARIO, folder / "after", round((zero - onset_s) * 1000)) as running:
        runs += asyncio.run(sweeps(running, start_ms, RUNS))
    store, keys = Store.open(f"chdb://{folder / 'store'}"), {}
    watch, in_force = running.watch, rule_set.load(rule_set.newest())
    try:
        end_ms = start_ms + 2 * RUNS * round(watch.cadence_s * 1000)
        ingest = Ingest(store, Key.create("operator"), {watch.id: watch}, in_force, now_ms=lambda: end_ms)
        batch = []
        for line, run in runs:
            key = keys.setdefault(line, Key.create("user"))
            batch.append(IncomingSegment(key.id, segment.seal(run, key, len(batch) + 1, run[0].at_ms).raw))
        ingest.take(batch)
        reviser = Reviser(store, {watch.id: watch}, in_force, infer, lambda: ingest.complete_ms)
        final = {p: reviser.revise(AnswerKey(watch.id, p, "web")) for p in LINES}
    finally:
        store.close()
    return final, start_ms + RUNS * round(watch.cadence_s * 1000)


def test_a_throttled_provider_is_called_throttled(answers):
    """The state, the pattern, the method and the time are right."""
    final, slow_ms = answers
    answer = final["dunmarrow-fixed"]
    assert (answer.state, answer.pattern, answer.method) == ("blocked", "throttled", "throttled")
    assert answer.onset.earliest <= times.text(slow_ms) <= answer.onset.latest


def test_a_provider_that_does_not_throttle_is_reachable(answers):
    """Its service is as fast as its control."""
    final, _ = answers
    assert final["thessamy-mobile"].state in ("reachable", "insufficient")

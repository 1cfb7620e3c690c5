"""A throttled provider from its gateway to the answer: real probes, the shipped rules, a real store."""

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
from infra.lab.watch import rfc3339
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
    """Runs on every line, one after the other, dated a cadence apart: (line, run)."""
    cadence_ms = round(running.watch.cadence_s * 1000)

    async def one(provider, number):
        line = f"{provider}-{number}"
        network, place = running.network(line), scenario.load("throttled").provider(provider)
        vantage = configured(Vantage(asn=place.asn, access=place.access, line=line))
        made = []
        for n in range(first, first + RUNS):
            at_ms = start_ms + n * cadence_ms
            made.append((line, await measure(running.watch, network, vantage, now_ms=lambda at=at_ms: at)))
        return made

    lines = [one(p, n) for p, count in LINES.items() for n in range(1, count + 1)]
    return [pair for found in await asyncio.gather(*lines) for pair in found]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What is said of each provider's web surface in the end; and when the first slow run was dated."""
    folder, zero = tmp_path_factory.mktemp("throttled"), time.time()
    onset_s = scenario.load("throttled").provider("dunmarrow-fixed").block.onset_s
    start_ms = round((zero - 3600) * 1000)
    with country(SCENARIO, folder / "before", round((zero + 3600) * 1000)) as running:
        made = asyncio.run(sweeps(running, start_ms, 0))
    with country(SCENARIO, folder / "after", round((zero - onset_s) * 1000)) as running:
        made += asyncio.run(sweeps(running, start_ms, RUNS))
    store, keys = Store.open(f"chdb://{folder / 'store'}"), {}
    watch, in_force = running.watch, rule_set.load(rule_set.newest())
    try:
        end_ms = start_ms + 2 * RUNS * round(watch.cadence_s * 1000)
        ingest = Ingest(store, Key.create("operator"), {watch.id: watch}, in_force, now_ms=lambda: end_ms)
        batch = []
        for line, run in made:
            key = keys.setdefault(line, Key.create("user"))
            batch.append(IncomingSegment(key.id, segment.seal(run, key, len(batch) + 1, run[0].at_ms).raw))
        ingest.take(batch)
        reviser = Reviser(store, {watch.id: watch}, in_force, infer, lambda: ingest.complete_ms)
        found = {p: reviser.revise(AnswerKey(watch.id, p, "web")) for p in LINES}
    finally:
        store.close()
    return found, start_ms + RUNS * round(watch.cadence_s * 1000)


def test_a_throttled_provider_is_told_as_throttled(answers):
    """The state, the pattern, the method and the time."""
    found, slow_ms = answers
    answer = found["dunmarrow-fixed"]
    assert (answer.state, answer.pattern, answer.method) == ("blocked", "throttled", "throttled")
    assert answer.onset.earliest <= rfc3339(slow_ms) <= answer.onset.latest


def test_a_provider_that_slows_nothing_is_reachable(answers):
    """Its service comes as fast as its control."""
    found, _ = answers
    assert found["thessamy-mobile"].state in ("reachable", "insufficient")

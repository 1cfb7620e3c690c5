"""The benchmark's own parts: the simulator, the score and the rivals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infra.bench.onset import online, report
from infra.bench.onset.rivals import RIVALS
from infra.bench.onset.score import Guess, score
from infra.bench.onset.simulate import CLEAN, STRESS, Fleet, SimulatedTruth, provider, simulate

SMALL = replace(CLEAN, providers=3, days=4.0, cadences=(1800.0,), probes=(3, 3), hidden_outages=0.0, outages=0.0)
HOUR = 3_600_000


def truth(onset: int | None, lines: int = 3, showing: int = 3) -> SimulatedTruth:
    """A provider that blocks at `onset`, probed hourly for ten days."""
    blocks = () if onset is None else ((onset, None),)
    return SimulatedTruth("lasting" if blocks else "none", blocks, HOUR, 20, 20, lines, showing, 10.0)


def test_same_seed_same_fleet() -> None:
    """One seed draws one fleet; another draws another."""
    one, again, other = simulate(SMALL, 1), simulate(SMALL, 1), simulate(SMALL, 2)
    assert all(np.array_equal(a.rows.at, b.rows.at) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[0].rows.at, other[0].rows.at)


@pytest.mark.parametrize("base", [SMALL, replace(STRESS, days=4.0, cadences=(1800.0,), probes=(3, 3), switching=0.0)])
def test_failures_follow_the_truth(base: Fleet) -> None:
    """Inside a lasting block sound probes mostly fail, before it they mostly don't."""
    fleet = replace(base, name="x", shapes={"lasting": 1.0}, churn=0.0, spared=0.0, bad=0.0, skewed=0.0, lagged=0.0)
    case = provider(fleet, 3, 0, [])
    onset = case.truth.blocks[0][0]
    kept = case.rows.control == 0
    after = case.rows.at >= onset
    assert case.rows.outcome[kept & after].mean() > 0.8
    assert case.rows.outcome[kept & ~after].mean() < 0.1


def test_score_counts_what_it_says() -> None:
    """Error in cadences, coverage, misses by suspicion, and false onsets per thousand days."""
    start = 100 * HOUR
    pairs = [
        (truth(start), Guess(start + HOUR, start - HOUR, start + 2 * HOUR)),
        (truth(start), Guess(start - HOUR, start - 3 * HOUR, start - HOUR)),
        (truth(start), Guess(start, start, start, sure=False)),
        (truth(start, showing=1), Guess(start, start, start, sure=False)),
        (truth(start, lines=1, showing=1), Guess(start, start, start, sure=False)),
        (truth(start), Guess(None)),
        (truth(None), Guess(start)),
        (truth(None), Guess(start, sure=False)),
    ]
    found = score(pairs)
    assert (found.median, found.coverage, found.below) == (0.0, 0.8, 0.2)
    assert found.missed == pytest.approx(2 / 6)
    assert found.missed_probes == pytest.approx(3 / 6)
    assert (found.false, found.false_suspected) == (50.0, 50.0)


@pytest.mark.parametrize("name", list(RIVALS))
def test_rival_finds_a_plain_block(name: str) -> None:
    """Each rival finds a lasting block on three sound lines within a day, and none where there is none."""
    plain = replace(SMALL, shapes={"lasting": 1.0}, churn=0.0, spared=0.0, bad=0.0, lagged=0.0, night_off=0.0)
    case = provider(plain, 3, 0, [])
    guess = RIVALS[name](case.rows, case.truth.cadence_ms)
    assert guess.estimate is not None
    assert abs(guess.estimate - case.truth.blocks[0][0]) < 24 * HOUR
    quiet = provider(replace(plain, shapes={"none": 1.0}), 3, 1, [])
    assert RIVALS[name](quiet.rows, quiet.truth.cadence_ms).estimate is None


def test_page_has_a_table_for_each_fleet() -> None:
    """The report names fleets, methods and seeds."""
    cases = simulate(replace(SMALL, shapes={"none": 1.0, "lasting": 2.0}), 1)
    found = score([(c.truth, Guess(None)) for c in cases])
    tests = {"t": online.online([online.cusum(c) for c in cases])}
    page = report.text([report.FleetTable(SMALL, [report.MethodRow("a method", found, [0.1])], tests)], [7], 3)
    assert "## clean" in page
    assert "| a method |" in page
    assert "seeds 7" in page

"""The benchmark's page."""

from __future__ import annotations

from dataclasses import replace

from infra.bench.onset.accuracy import OnsetEstimate, accuracy
from infra.bench.onset.alarms import alarm_delays, cusum_scores
from infra.bench.onset.report import FleetTable, MethodRow, page
from infra.bench.onset.simulate import simulate
from tests.support.simulated_fleets import SMALL


def test_page_has_a_table_for_each_fleet() -> None:
    """The page names fleets, methods and seeds."""
    cases = simulate(replace(SMALL, shapes={"none": 1.0, "lasting": 2.0}), 1)
    result = accuracy([(case.truth, OnsetEstimate(None)) for case in cases])
    delays = {"t": alarm_delays([cusum_scores(case) for case in cases])}
    text = page([FleetTable(SMALL, [MethodRow("a method", result, [0.1])], delays)], [7], 3)
    assert "## clean" in text
    assert "| a method |" in text
    assert "seeds 7" in text

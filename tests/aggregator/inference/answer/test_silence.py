"""Probes that stop reporting together."""

from __future__ import annotations

from aggregator.inference.answer.silence import silences
from aggregator.inference.onset import infer
from aggregator.inference.rows.parameters import Parameters
from aggregator.inference.sensitivity import picked
from tests.support.measured_fleet import BASE, FleetSpec, make

DAY = 86400.0


def test_falling_silent_together_is_reported() -> None:
    """Probes that all stop at once are reported as a silence, and not as a block."""
    rows = make(FleetSpec(cadence=600, length=4 * DAY, silent=(2 * DAY, 3 * DAY)))
    (sentence,) = silences(rows, 600_000, None)
    assert sentence.startswith("silence: 3 probes")
    assert infer(rows, Parameters(cadence_s=600)).state == "reachable"


def test_silence_that_lasts_needs_an_end() -> None:
    """A silence that lasts to the end of the window is reported only if `end_ms` is given."""
    rows = make(FleetSpec(cadence=600, length=2 * DAY))
    assert not silences(rows, 600_000, None)
    (sentence,) = silences(rows, 600_000, BASE + round(3 * DAY * 1000))
    assert "together since" in sentence


def test_nights_are_no_silence() -> None:
    """Probes that are off every night at the same hours are not reported."""
    rows = make(FleetSpec(cadence=600, length=5 * DAY))
    hour = (rows.at // 3_600_000) % 24
    assert not silences(picked(rows, hour >= 7), 600_000, None)

"""Small fleets of the onset benchmark's simulator, for its tests."""

from __future__ import annotations

from dataclasses import replace

from infra.bench.onset.simulate import CLEAN

SMALL = replace(CLEAN, providers=3, days=4.0, cadences=(1800.0,), probes=(3, 3), hidden_outages=0.0, outages=0.0)
"""Three providers with three probes each, for four days."""
SOUND = replace(SMALL, shapes={"lasting": 1.0}, churn=0.0, spared=0.0, bad=0.0, lagged=0.0, night_off=0.0)
"""The same with sound probes that run all the time; every provider begins a block that lasts."""
HOUR_MS = 3_600_000

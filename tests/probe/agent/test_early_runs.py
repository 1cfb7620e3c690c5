"""A change of the network brings the next run forward."""

from __future__ import annotations

import asyncio
import time

from probe.agent import early_runs


async def test_a_flapping_network_causes_a_limited_number_of_runs_a_day(monkeypatch):
    """The rest are ignored."""

    class Flapping:
        async def wait(self):
            await asyncio.sleep(0.005)
            return "network"

    class Counting(asyncio.Event):
        count = 0

        def set(self):
            self.count += 1
            super().set()

    monkeypatch.setattr(early_runs, "NetworkChanges", Flapping)
    monkeypatch.setattr(early_runs, "EARLY_A_DAY", 3)
    changed = Counting()
    watching = asyncio.create_task(early_runs.watch_network(changed))
    await asyncio.sleep(0.2)
    watching.cancel()
    assert changed.count == 3


async def test_a_change_brings_the_next_run_forward_but_keeps_the_least_gap(monkeypatch):
    """Without a change the run begins at its scheduled time."""
    monkeypatch.setattr(early_runs, "LEAST_GAP_S", 0.2)
    stop, changed = asyncio.Event(), asyncio.Event()
    changed.set()
    started = time.monotonic()
    assert await early_runs.wait_for_run(stop, 30.0, changed)
    assert 0.2 <= time.monotonic() - started < 5
    assert not changed.is_set()
    assert not await early_runs.wait_for_run(stop, 0.1, changed)
    stop.set()
    assert not await early_runs.wait_for_run(stop, 30.0, changed)

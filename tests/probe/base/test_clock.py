"""The clock of a run."""

from __future__ import annotations

import time

from probe.base.clock import Clock


def test_it_counts_milliseconds_since_it_was_made():
    """It never goes back."""
    clock = Clock()
    time.sleep(0.02)
    first = clock()
    assert 20 <= first < 1000
    assert clock() >= first


def test_a_step_may_take_its_limit_or_what_is_left_of_the_run():
    """Whichever is less; 0 once the run's time is over."""
    assert Clock().within(3.0) == 3.0
    clock = Clock(0.05)
    assert clock.within(0.01) == 0.01
    assert 0 < clock.within(3.0) <= 0.05
    time.sleep(0.06)
    assert clock.within(3.0) == 0.0

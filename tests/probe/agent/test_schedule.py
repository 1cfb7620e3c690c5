"""Runs begin at the cadence on average, with jitter, and never two at once."""

import itertools
import random

from probe.agent.schedule import FIRST_S, JITTER, Schedule


class Time:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self):
        """Seconds."""
        return self.now


def starts(cadence_s, count, duration_s=0.0, seed=1):
    """When `count` runs of this duration begin."""
    time, begun = Time(), []
    schedule = Schedule(cadence_s, clock=time, chance=random.Random(seed).random)
    for _ in range(count):
        time.now += schedule.wait_s()
        begun.append(time.now)
        time.now += duration_s
    return begun


def test_the_mean_interval_is_the_cadence():
    """Jitter applies to each scheduled time and does not add up."""
    begun = starts(600, 1001)
    assert abs((begun[-1] - begun[0]) / 1000 - 600) < 0.2
    gaps = [b - a for a, b in itertools.pairwise(begun)]
    assert min(gaps) >= 600 * (1 - 2 * JITTER)
    assert max(gaps) <= 600 * (1 + 2 * JITTER)
    assert max(gaps) - min(gaps) > 600 * JITTER


def test_probes_do_not_begin_together():
    """The first run begins soon, at a random time."""
    first = [starts(600, 1, seed=s)[0] - 1000 for s in range(50)]
    assert max(first) < FIRST_S
    assert max(first) - min(first) > FIRST_S / 2


def test_a_missed_scheduled_time_is_left_out():
    """After a run longer than the cadence the next scheduled time counts; missed runs are not made up for."""
    begun = starts(2, 50, duration_s=3.0)
    gaps = [b - a for a, b in itertools.pairwise(begun)]
    assert min(gaps) >= 3.0
    assert sum(gaps) / len(gaps) < 4.1


def test_a_long_sleep_is_followed_by_one_run():
    """A laptop that wakes measures once, then at the cadence again."""
    time = Time()
    schedule = Schedule(10, clock=time, chance=lambda: 0.5)
    time.now += schedule.wait_s() + 10_000
    assert 0 <= schedule.wait_s() <= 10 * (1 + JITTER)
    time.now += schedule.wait_s()
    assert schedule.wait_s() >= 10 * (1 - 2 * JITTER)

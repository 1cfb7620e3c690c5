"""When visits are due."""

from __future__ import annotations

import time

import msgspec

from probe.custody.visit_schedule import VisitSchedule

EVERY_S = 2700.0


def wait_s(schedule):
    """Seconds from now until the next visit is due."""
    return schedule.due_s - time.monotonic()


def test_the_first_visit_follows_the_first_run():
    """It is due at once; without a run it is made after half of the mean time."""
    schedule = VisitSchedule.start(EVERY_S)
    assert wait_s(schedule) <= 0
    assert schedule.overdue_s - schedule.due_s == EVERY_S / 2


def test_visits_are_made_at_random_times():
    """Between half and one and a half of the mean time after the last one, so that no rhythm shows."""
    waits = [wait_s(VisitSchedule.start(EVERY_S).after_visit(failed=False)) for _ in range(300)]
    assert EVERY_S / 2 - 1 < min(waits) < EVERY_S * 0.6
    assert EVERY_S * 1.4 < max(waits) < EVERY_S * 1.5
    assert abs(sum(waits) / len(waits) - EVERY_S) < EVERY_S * 0.1


def test_after_a_failure_it_is_tried_again_soon_and_then_ever_less_often():
    """Without waiting for a run. The longest pause is the mean time; a success ends the series."""
    schedule, pauses = VisitSchedule.start(EVERY_S), []
    for _ in range(100):
        schedule = schedule.after_visit(failed=True)
        pauses.append(wait_s(schedule))
        assert schedule.overdue_s == schedule.due_s
    for n, pause_s in enumerate(pauses):
        longest_s = min(60.0 * 2 ** min(n, 10), EVERY_S)
        assert longest_s / 2 - 1 < pause_s <= longest_s
    assert schedule.after_visit(failed=False).failures == 0
    quick = VisitSchedule.start(0.4).after_visit(failed=True)
    assert wait_s(quick) <= 0.4


def test_an_interrupted_visit_goes_on_after_the_next_run():
    """Something was delivered, so it is no failure."""
    schedule = VisitSchedule.start(EVERY_S).after_visit(failed=True).after_interruption()
    assert (wait_s(schedule) <= 0, schedule.failures) == (True, 0)


def test_it_can_be_handed_to_another_process():
    """The clock is the same in all processes of a machine."""
    schedule = VisitSchedule.start(EVERY_S).after_visit(failed=True)
    assert msgspec.json.decode(msgspec.json.encode(schedule), type=VisitSchedule) == schedule

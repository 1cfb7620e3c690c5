"""When a probe next visits a collector: it connects, delivers, and disconnects.

Visits follow a run: the aggregator takes the smallest delay between a measurement and its arrival as the error of the
probe's clock (`DELIVERY_S` there), so some measurements must arrive promptly. A visit that is due therefore waits for
the end of the next run, but not for ever.
"""

from __future__ import annotations

import itertools
import random
import time

import msgspec

from probe.base.retry import waits

_FIRST_RETRY_S = 60.0


class VisitSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """When visits are due. Times are seconds of `time.monotonic`, which all processes of a machine share."""

    every_s: float
    """The mean time between two visits."""
    due_s: float
    """A visit is made after the first run that ends at or after this time."""
    failures: int = 0
    """How many visits in a row have failed."""

    @classmethod
    def start(cls, every_s: float) -> VisitSchedule:
        """The schedule of a probe that has just started: the first visit follows the first run."""
        return cls(every_s=every_s, due_s=time.monotonic())

    @property
    def overdue_s(self) -> float:
        """From this time on a visit is made although no run has ended; after a failure that is when it is due."""
        return self.due_s + (0.0 if self.failures else self.every_s / 2)

    def after_visit(self, *, failed: bool) -> VisitSchedule:
        """The schedule after a visit that has just ended."""
        now_s = time.monotonic()
        if failed:
            pauses = waits(min(_FIRST_RETRY_S, self.every_s), self.every_s)
            pause_s = next(itertools.islice(pauses, min(self.failures, 64), None))
            return msgspec.structs.replace(self, due_s=now_s + pause_s, failures=self.failures + 1)
        pause_s = self.every_s * random.uniform(0.5, 1.5)  # noqa: S311 - hides no secret
        return msgspec.structs.replace(self, due_s=now_s + pause_s, failures=0)

    def after_interruption(self) -> VisitSchedule:
        """The schedule after a visit that was ended before everything was delivered: it goes on after the next run."""
        return msgspec.structs.replace(self, due_s=time.monotonic(), failures=0)

"""What one worker leaves for the next. It passes through the agent's memory and is never written to the disk."""

from __future__ import annotations

import msgspec

from probe.custody.spool import SentSegment
from probe.custody.visits import VisitsMemory
from probe.measure.plan import PlannerMemory
from probe.place.vantage import VantageMemory
from probe.protocol.measurement import PathKind


class WorkMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe knows from earlier runs and visits, beside what its files hold."""

    planner: PlannerMemory
    vantage: VantageMemory
    visits: VisitsMemory
    sent: tuple[SentSegment, ...]
    reported_path: PathKind
    why_not: str
    """The reason not to measure that was logged last; "" after a run."""
    watch_asked_s: float | None
    """When a newer watch was last asked for, in monotonic seconds."""

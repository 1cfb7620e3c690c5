"""The messages between an agent and its workers: a JSON object on each line of the worker's stdin and stdout.

The agent writes one WorkOrder, and `STOP` when the probe is told to stop. The worker answers an order without settings
with a ProbeDescription, any other order with signs of life and reports, the last of which is final, and an order that
it can't carry out with a WorkerFailure.
"""

from __future__ import annotations

import msgspec

from probe.custody.visit_schedule import VisitSchedule

STOP = b"stop\n"
"""The line that tells a worker to abandon its run and to make a last visit."""
NOTHING = msgspec.Raw(b"null")
SIGN_OF_LIFE_S = 5.0
"""How often a worker at least writes something."""


class ProbeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent needs to know about the probe."""

    id: str
    spool: str
    """The spool's file. The probe's other files are in the same directory."""
    watch_digest: str
    cadence_s: float
    flush_s: float
    is_real: bool
    """Whether it measures over this machine's own networks, and not in a lab."""
    knows_provider: bool
    """Whether the configuration has the network's AS number, or an endpoint that answers with it."""


class WorkOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is to do: measure if `measure` is set, and make a visit if one is due."""

    settings: msgspec.Raw = NOTHING
    """Configuration and watch, as a worker described them; `NOTHING` asks for that description."""
    memory: msgspec.Raw = NOTHING
    """What the last worker left for this one (`probe.agent.memory.WorkMemory`), or `NOTHING`."""
    visits: VisitSchedule | None = None
    measure: bool = False
    lock_descriptor: int = -1
    """The inherited descriptor of the spool's lock."""


class ProbeDescription(msgspec.Struct, frozen=True, kw_only=True, tag="description"):
    """The probe that a configuration describes. The settings go back to each worker unread."""

    facts: ProbeFacts
    settings: msgspec.Raw
    visits: VisitSchedule | None
    """When visits are due; None for a probe that stays connected."""


class WorkerFailure(msgspec.Struct, frozen=True, kw_only=True, tag="failure"):
    """A UserError that keeps the probe from working."""

    message: str
    code: int


class SignOfLife(msgspec.Struct, frozen=True, tag="alive"):
    """The worker is at work."""


class WorkReport(msgspec.Struct, frozen=True, kw_only=True, tag="report"):
    """What a worker leaves for the next one, and what the agent needs to know."""

    memory: msgspec.Raw
    visits: VisitSchedule
    has_waiting: bool
    """Whether there is something to deliver."""
    renewed: ProbeDescription | None = None
    """The probe after its watch was renewed."""
    made_last_visit: bool = False
    is_final: bool = False


WorkerMessage = ProbeDescription | WorkerFailure | SignOfLife | WorkReport


def line(message: WorkOrder | WorkerMessage) -> bytes:
    """A message as a line of JSON."""
    return msgspec.json.encode(message) + b"\n"

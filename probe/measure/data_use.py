"""How much data a probe will use, projected from its watch before the first run.

Each check projects its own part (`expected_bytes`). The numbers were measured in the lab (docs/probe-light.md), with
certificates of a usual size added. A failing service makes light runs larger by one or two handshakes, because the
control and the contrast are tested then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from probe.measure import bytes_on_wire, registry

if TYPE_CHECKING:
    from collections.abc import Collection

    from probe.measure.registry import Check
    from probe.protocol.watch import Watch

DAY_S = 86_400
MONTH_DAYS = 30
SEGMENT = 2_500
"""A light run's segment, compressed and signed."""


class ProjectedUse(NamedTuple):
    """Bytes on the wire, both directions, on a line without loss. A round is a light run."""

    round: int
    sweep: int
    rounds_a_day: float
    sweeps_a_day: float
    deliveries_a_day: float
    day: int

    @property
    def month(self) -> int:
        """Thirty days."""
        return self.day * MONTH_DAYS


def of(watch: Watch, deliver_every_s: float, checks: Collection[Check] | None = None) -> ProjectedUse:
    """The projected use of a probe of this watch.

    `deliver_every_s` is the configuration's, 0 for delivering after each run. `checks` are those to count; None counts
    all that can be made on this machine.
    """
    counted = [c for c in registry.checks() if c.is_available()] if checks is None else checks
    runs, sweeps = DAY_S / watch.cadence_s, DAY_S / watch.sweep_s
    light_runs = max(0.0, runs - sweeps)
    deliveries = runs if not deliver_every_s else min(runs, DAY_S / deliver_every_s)
    light, sweep = (_run(watch, counted, sweep=s) for s in (False, True))
    connections = deliveries * bytes_on_wire.delivery_bytes(0, 4, tls=True)
    segments = runs * (bytes_on_wire.stream(SEGMENT) + bytes_on_wire.stream(400))
    day = light_runs * light + sweeps * sweep + connections + segments
    return ProjectedUse(light, sweep, light_runs, sweeps, deliveries, round(day))


def _run(watch: Watch, checks: Collection[Check], *, sweep: bool) -> int:
    """One run: the control, then each check of the watch's surfaces."""
    control = bytes_on_wire.LOOKUP + (bytes_on_wire.HTTPS_HANDSHAKE if sweep else bytes_on_wire.OPEN_AND_CLOSE)
    surfaces = watch.surfaces.names()
    return control + sum(
        c.expected_bytes(watch, sweep) for c in checks if c.surface in surfaces and (sweep or not c.sweeps_only)
    )

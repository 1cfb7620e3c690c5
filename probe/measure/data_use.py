"""How much data a probe will use, computed from its watch before the first run.

What one part of a round takes was measured in the lab (docs/probe-light.md) with certificates of a usual size added.
A service that fails makes light rounds dearer by a handshake or two, since the control and the contrast are asked then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from probe.measure import bytes_on_wire, plan
from probe.measure.plan import RunPlan

if TYPE_CHECKING:
    from probe.protocol.watch import Watch

DAY_S = 86_400
MONTH_DAYS = 30
HANDSHAKE = bytes_on_wire.OPEN_AND_CLOSE + bytes_on_wire.TLS_HANDSHAKE
EXCHANGE = bytes_on_wire.OPEN_AND_CLOSE + bytes_on_wire.stream(200) + bytes_on_wire.stream(200)
"""One datacentre, one way: a connection, and about 100 bytes each way, padded by the obfuscated transport."""
LOOKUP = 2 * bytes_on_wire.DATAGRAM + 150
LOOKUP_TCP = bytes_on_wire.OPEN_AND_CLOSE + bytes_on_wire.stream(60) + bytes_on_wire.stream(120)
PAGE = bytes_on_wire.OPEN_AND_CLOSE + bytes_on_wire.stream(120) + bytes_on_wire.stream(700)
TRANSFER = HANDSHAKE + bytes_on_wire.stream(65_536)
QUIC = 5_600
"""One handshake with a chain of two RSA certificates, as measured. One that goes unanswered takes 3,700."""
SEGMENT = 2_500
"""A light round's segment, compressed and signed."""


class ProjectedUse(NamedTuple):
    """Bytes on the wire, both directions, on a line without loss."""

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


def of(watch: Watch, deliver_every_s: float, *, http3: bool = False) -> ProjectedUse:
    """What a probe of this watch will use. `deliver_every_s` is the configuration's, `http3` whether QUIC is tested."""
    every_day, sweeps = DAY_S / watch.cadence_s, DAY_S / watch.sweep_s
    rounds_a_day = max(0.0, every_day - sweeps)
    deliveries = every_day if not deliver_every_s else min(every_day, DAY_S / deliver_every_s)
    light, sweep = _round(watch, sweep=False), _round(watch, sweep=True)
    one_delivery = bytes_on_wire.delivery(0, 4, tls=True)
    carried = every_day * (bytes_on_wire.stream(SEGMENT) + bytes_on_wire.stream(400))
    web = watch.surfaces.web
    sweep += QUIC * (3 if web.contrast else 2) if http3 and web else 0
    day = rounds_a_day * light + sweeps * sweep + deliveries * one_delivery + carried
    return ProjectedUse(light, sweep, rounds_a_day, sweeps, deliveries, round(day))


def _round(watch: Watch, *, sweep: bool) -> int:
    """One run: the control, then each surface's parts."""
    used = LOOKUP + (HANDSHAKE if sweep else bytes_on_wire.OPEN_AND_CLOSE)
    if app := watch.surfaces.app:
        used += EXCHANGE * len(plan.chosen(RunPlan(sweep=sweep, turn=0), app.endpoints, lambda _: True))
    if web := watch.surfaces.web:
        used += LOOKUP + LOOKUP_TCP + HANDSHAKE * (2 if web.contrast and sweep else 1)
        if sweep:
            used += bytes_on_wire.OPEN_AND_CLOSE + PAGE + len(web.sockets) * (LOOKUP + HANDSHAKE)
            used += 2 * TRANSFER if web.transfer else 0
    return used

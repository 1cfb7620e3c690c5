"""Writes the page docs/probe-light.md from what `infra.bench.weight` measured."""

from __future__ import annotations

import platform
import statistics
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

from probe.home.config import DELIVER_EVERY_S
from probe.measure import bytes_on_wire
from probe.owner.setup import MONTHLY_MB

if TYPE_CHECKING:
    from infra.bench.weight.weighed import ProbeWeight

DAY_S = 86_400
ECDSA = 3700
"""Bytes of a TLS 1.3 handshake with a short ECDSA chain, packet headers included. `bytes_on_wire.TLS_HANDSHAKE` is one
with an RSA chain."""


def page(w: ProbeWeight) -> str:
    """The page as Markdown. 1 KB is 1000 bytes."""
    light, sweep = statistics.mean(w.light), statistics.mean(w.sweep)
    handshake_payload = statistics.mean(w.handshake_payloads)
    delivery = statistics.mean(bytes_on_wire.OPEN_AND_CLOSE + bytes_on_wire.stream(c // 2) * 2 for c in w.deliveries)
    runs, sweeps, deliveries = DAY_S / w.cadence_s, DAY_S / w.sweep_s, DAY_S / DELIVER_EVERY_S
    segment = statistics.mean(bytes_on_wire.stream(n) for n in w.segments)
    lab = (runs - sweeps) * light + sweeps * sweep
    # Each segment has an acknowledgement and a receipt, together about 400 bytes, each in a packet of its own.
    delivered = deliveries * bytes_on_wire.delivery_bytes(0, 0, tls=True) + runs * (
        segment + 2 * bytes_on_wire.stream(200)
    )

    def extra(handshake: int) -> float:
        """Bytes of a handshake beyond those of the lab's."""
        return max(0.0, handshake - bytes_on_wire.stream(round(handshake_payload)))

    def light_with(handshake: int) -> float:
        """Bytes of a light run in which the service works: one handshake, the service's own."""
        return light + w.handshakes_light * extra(handshake)

    def blocked_with(handshake: int) -> float:
        """Bytes of a light run in which the site is blocked by name: the control and the contrast are tested too."""
        full = bytes_on_wire.stream(round(handshake_payload)) + extra(handshake)
        return light + bytes_on_wire.OPEN_AND_CLOSE + 2 * full

    def day(handshake: int, each: float) -> float:
        sweep_with = sweep + w.handshakes_sweep * extra(handshake)
        return delivered + (runs - sweeps) * each + sweeps * sweep_with

    rsa = bytes_on_wire.TLS_HANDSHAKE
    share = (w.cpu_run / w.cadence_s + w.cpu_idle_share) * 100
    text = Template(resources.files(__package__).joinpath("probe-light.md").read_text(encoding="utf-8"))
    return text.substitute(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        rss_idle=f"{w.rss_idle:.1f}",
        rss_worker=f"{w.rss_worker:.1f}",
        rss_together=f"{w.rss_together:.1f}",
        cpu_start=f"{w.cpu_start:.1f}",
        cpu_run=f"{w.cpu_run * 1000:.0f}",
        cpu_idle=f"{w.cpu_idle_share * 100:.3f}",
        cpu_share=f"{share:.3f}",
        light=f"{light / 1e3:.1f}",
        light_largest=f"{max(w.light) / 1e3:.1f}",
        segment=f"{statistics.mean(w.segments) / 1e3:.1f}",
        light_ecdsa=f"{light_with(ECDSA) / 1e3:.1f}",
        blocked=f"{blocked_with(rsa) / 1e3:.1f}",
        light_rsa=f"{light_with(rsa) / 1e3:.1f}",
        sweep=f"{sweep / 1e3:.1f}",
        light_runs=len(w.light),
        sweeps=len(w.sweep),
        handshakes=f"{w.handshakes_light:.1f}",
        handshake_payload=f"{handshake_payload:.0f}",
        rsa=f"{bytes_on_wire.TLS_HANDSHAKE / 1e3:.1f}",
        deliveries=len(w.deliveries),
        delivery=f"{delivery / 1e3:.1f}",
        runs_per_delivery=f"{w.runs_per_delivery:.1f}",
        deliver=f"{DELIVER_EVERY_S / 60:g}",
        day_lab=f"{(lab + delivered) / 1e6:.2f}",
        day_ecdsa=f"{day(ECDSA, light_with(ECDSA)) / 1e6:.2f}",
        day_rsa=f"{day(rsa, light_with(rsa)) / 1e6:.2f}",
        day_blocked=f"{day(rsa, blocked_with(rsa)) / 1e6:.2f}",
        month_rsa=f"{day(rsa, light_with(rsa)) * 30 / 1e6:.0f}",
        month_blocked=f"{day(rsa, blocked_with(rsa)) * 30 / 1e6:.0f}",
        ecdsa=f"{ECDSA / 1e3:.1f}",
        cap=MONTHLY_MB,
        cadence=f"{w.measured_cadence_s:g}",
    )

"""The page docs/probe-light.md from what `infra.bench.probe_light` measured."""

from __future__ import annotations

import platform
import statistics
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

from probe import traffic
from probe.config import DELIVER_EVERY_S

if TYPE_CHECKING:
    from infra.bench.probe_light import Weighed

DAY_S = 86_400
TICKETS = 700
"""The two session tickets after a handshake, packets included: with one, the next light run needs no certificates."""
ECDSA = 3700
"""A TLS 1.3 handshake with a short ECDSA chain, packets included; `traffic.TLS_HANDSHAKE` is one with an RSA chain."""


def page(w: Weighed) -> str:
    """The page. Bytes are decimal."""
    light, sweep = statistics.mean(w.light), statistics.mean(w.sweep)
    shown = statistics.mean(w.payload_tls)
    visit = statistics.mean(traffic.OPEN_AND_CLOSE + traffic.stream(c // 2) * 2 for c in w.deliveries)
    rounds, sweeps, visits = DAY_S / w.cadence_s, DAY_S / w.sweep_s, DAY_S / DELIVER_EVERY_S
    segment = statistics.mean(traffic.stream(n) for n in w.segments)
    lab = (rounds - sweeps) * light + sweeps * sweep
    # A segment goes with its acknowledgement and its receipt, about 400 bytes, each in a packet of its own.
    carried = visits * traffic.delivery(0, 0, tls=True) + rounds * (segment + 2 * traffic.stream(200))

    def dearer(handshake: int) -> float:
        """What a handshake takes more than the lab's."""
        return max(0.0, handshake - traffic.stream(round(shown)))

    def light_with(handshake: int, *, resumed: bool = True) -> float:
        """A light round. A session that is taken up again is no dearer than one of the lab's small handshakes."""
        full = w.handshakes_light - resumed
        return light + full * dearer(handshake) + resumed * TICKETS

    def day(handshake: int, *, resumed: bool = True) -> float:
        sweep_with = sweep + w.handshakes_sweep * dearer(handshake)
        return carried + (rounds - sweeps) * light_with(handshake, resumed=resumed) + sweeps * sweep_with

    share = (w.cpu_round / w.cadence_s + w.cpu_idle_share) * 100
    text = Template(resources.files(__package__).joinpath("probe-light.md").read_text(encoding="utf-8"))
    return text.substitute(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        rss_idle=f"{w.rss_idle:.1f}",
        rss_most=f"{w.rss_most:.1f}",
        cpu_start=f"{w.cpu_start:.1f}",
        cpu_round=f"{w.cpu_round * 1000:.0f}",
        cpu_idle=f"{w.cpu_idle_share * 100:.3f}",
        cpu_share=f"{share:.3f}",
        light=f"{light / 1e3:.1f}",
        light_most=f"{max(w.light) / 1e3:.1f}",
        segment=f"{statistics.mean(w.segments) / 1e3:.1f}",
        light_ecdsa=f"{light_with(ECDSA) / 1e3:.1f}",
        light_none=f"{light_with(traffic.TLS_HANDSHAKE, resumed=False) / 1e3:.1f}",
        light_rsa=f"{light_with(traffic.TLS_HANDSHAKE) / 1e3:.1f}",
        sweep=f"{sweep / 1e3:.1f}",
        rounds=len(w.light),
        sweeps=len(w.sweep),
        handshakes=f"{w.handshakes_light:.1f}",
        shown=f"{shown:.0f}",
        assumed=f"{traffic.TLS_HANDSHAKE / 1e3:.1f}",
        visits=len(w.deliveries),
        visit=f"{visit / 1e3:.1f}",
        per_visit=f"{w.rounds_a_delivery:.1f}",
        deliver=f"{DELIVER_EVERY_S / 60:g}",
        day_lab=f"{(lab + carried) / 1e6:.2f}",
        day_ecdsa=f"{day(ECDSA) / 1e6:.2f}",
        day_none=f"{day(traffic.TLS_HANDSHAKE, resumed=False) / 1e6:.2f}",
        day_rsa=f"{day(traffic.TLS_HANDSHAKE) / 1e6:.2f}",
        month_rsa=f"{day(traffic.TLS_HANDSHAKE) * 30 / 1e6:.0f}",
        ecdsa=f"{ECDSA / 1e3:.1f}",
    )

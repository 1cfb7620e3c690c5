"""The page docs/probe-light.md from what `infra.bench.weight` measured."""

from __future__ import annotations

import platform
import statistics
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

from probe.home.config import DELIVER_EVERY_S
from probe.measure import bytes_on_wire

if TYPE_CHECKING:
    from infra.bench.weight.weighed import ProbeWeight

DAY_S = 86_400
TICKETS = 700
"""The two session tickets after a handshake, packets included: with one the next handshake needs no certificates."""
ECDSA = 3700
"""A TLS 1.3 handshake with a short ECDSA chain, packets included; `traffic.TLS_HANDSHAKE` is one with an RSA chain."""


def page(w: ProbeWeight) -> str:
    """The page. Bytes are decimal."""
    light, sweep = statistics.mean(w.light), statistics.mean(w.sweep)
    shown = statistics.mean(w.payload_tls)
    visit = statistics.mean(bytes_on_wire.OPEN_AND_CLOSE + bytes_on_wire.stream(c // 2) * 2 for c in w.deliveries)
    rounds, sweeps, visits = DAY_S / w.cadence_s, DAY_S / w.sweep_s, DAY_S / DELIVER_EVERY_S
    segment = statistics.mean(bytes_on_wire.stream(n) for n in w.segments)
    lab = (rounds - sweeps) * light + sweeps * sweep
    # A segment goes with its acknowledgement and its receipt, about 400 bytes, each in a packet of its own.
    carried = visits * bytes_on_wire.delivery(0, 0, tls=True) + rounds * (segment + 2 * bytes_on_wire.stream(200))

    def dearer(handshake: int) -> float:
        """What a handshake takes more than the lab's."""
        return max(0.0, handshake - bytes_on_wire.stream(round(shown)))

    def light_with(handshake: int) -> float:
        """A light round in which the service works: one handshake, the service's own."""
        return light + w.handshakes_light * dearer(handshake)

    def cut_with(handshake: int, *, resumed: bool) -> float:
        """A light round in which the site's name is cut: the control and the contrast are asked too.

        A session that is taken up again is no dearer than one of the lab's small handshakes.
        """
        more = TICKETS if resumed else dearer(handshake)
        return light + bytes_on_wire.OPEN_AND_CLOSE + 2 * (bytes_on_wire.stream(round(shown)) + more)

    def day(handshake: int, each: float) -> float:
        sweep_with = sweep + w.handshakes_sweep * dearer(handshake)
        return carried + (rounds - sweeps) * each + sweeps * sweep_with

    rsa = bytes_on_wire.TLS_HANDSHAKE
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
        cut=f"{cut_with(rsa, resumed=True) / 1e3:.1f}",
        cut_none=f"{cut_with(rsa, resumed=False) / 1e3:.1f}",
        light_rsa=f"{light_with(rsa) / 1e3:.1f}",
        sweep=f"{sweep / 1e3:.1f}",
        rounds=len(w.light),
        sweeps=len(w.sweep),
        handshakes=f"{w.handshakes_light:.1f}",
        shown=f"{shown:.0f}",
        assumed=f"{bytes_on_wire.TLS_HANDSHAKE / 1e3:.1f}",
        visits=len(w.deliveries),
        visit=f"{visit / 1e3:.1f}",
        per_visit=f"{w.rounds_a_delivery:.1f}",
        deliver=f"{DELIVER_EVERY_S / 60:g}",
        day_lab=f"{(lab + carried) / 1e6:.2f}",
        day_ecdsa=f"{day(ECDSA, light_with(ECDSA)) / 1e6:.2f}",
        day_rsa=f"{day(rsa, light_with(rsa)) / 1e6:.2f}",
        day_cut=f"{day(rsa, cut_with(rsa, resumed=True)) / 1e6:.2f}",
        day_cut_none=f"{day(rsa, cut_with(rsa, resumed=False)) / 1e6:.2f}",
        month_rsa=f"{day(rsa, light_with(rsa)) * 30 / 1e6:.0f}",
        ecdsa=f"{ECDSA / 1e3:.1f}",
    )

"""What was measured of a probe's weight."""

from __future__ import annotations

from typing import NamedTuple


class ProbeWeight(NamedTuple):
    """What was measured. Bytes by `probe.measure.bytes_on_wire`, memory in MB, processor time in seconds."""

    rss_idle: float
    rss_most: float
    cpu_start: float
    cpu_round: float
    cpu_idle_share: float
    light: list[int]
    sweep: list[int]
    handshakes_light: float
    handshakes_sweep: float
    payload_tls: list[int]
    """Payload bytes of each TLS handshake of the rounds, both directions: the lab's certificates are small."""
    deliveries: list[int]
    """Payload bytes of each visit to the collector, as the relay saw them, TLS included."""
    rounds_a_delivery: float
    segments: list[int]
    """Bytes of each segment."""
    cadence_s: float
    sweep_s: float

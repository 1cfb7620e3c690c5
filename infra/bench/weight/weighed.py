"""The result of the measurement of a probe's cost."""

from __future__ import annotations

from typing import NamedTuple


class ProbeWeight(NamedTuple):
    """What was measured: bytes by `probe.measure.bytes_on_wire`, memory in MB, processor time in seconds."""

    rss_idle: float
    rss_peak: float
    cpu_start: float
    """From the start of the process until its first runs are delivered."""
    cpu_run: float
    """Per run, its share of the deliveries included."""
    cpu_idle_share: float
    """Of one core."""
    light: list[int]
    """Bytes of each light run."""
    sweep: list[int]
    """Bytes of each sweep."""
    handshakes_light: float
    handshakes_sweep: float
    handshake_payloads: list[int]
    """Payload bytes of each TLS handshake, both directions together. The lab's certificates are small."""
    deliveries: list[int]
    """Payload bytes of each connection to the collector, counted by the relay, TLS included."""
    runs_per_delivery: float
    segments: list[int]
    """Bytes of each segment."""
    cadence_s: float
    sweep_s: float

"""The result of the measurement of a probe's cost."""

from __future__ import annotations

from typing import NamedTuple


class ProbeWeight(NamedTuple):
    """What was measured: bytes by `probe.measure.bytes_on_wire`, memory in MB, processor time in seconds."""

    rss_idle: float
    """Of the agent, between two runs."""
    rss_worker: float
    """Of a worker, at its peak."""
    rss_together: float
    """Of the agent and its worker, at their peak."""
    cpu_start: float
    """From the start of the process until its first runs are delivered, its workers included."""
    cpu_run: float
    """Per run: its worker and its share of the deliveries."""
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
    measured_cadence_s: float
    """The time between two runs while they were measured."""
    cadence_s: float
    """The time between two runs of a volunteer's probe."""
    sweep_s: float

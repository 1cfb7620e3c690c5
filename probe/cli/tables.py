"""A measurement as a table for people: every step with its timing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rich.table import Table

if TYPE_CHECKING:
    from probe.protocol.measurement import Measurement, Step

_COLUMNS: tuple[tuple[str, Literal["left", "right"]], ...] = (
    ("at ms", "right"),
    ("took ms", "right"),
    ("part", "left"),
    ("step", "left"),
    ("target", "left"),
    ("address", "left"),
    ("via", "left"),
    ("outcome", "left"),
    ("details", "left"),
)


def steps(measurement: Measurement) -> Table:
    """A table of a measurement's steps, in the order in which they began."""
    caption = f"{measurement.duration_ms:.0f} ms, the event loop at most {measurement.loop_lag_ms:.0f} ms late"
    table = Table(title=f"{measurement.check} ({measurement.surface}): {measurement.target}", caption=caption)
    for column, justify in _COLUMNS:
        table.add_column(column, justify=justify, overflow="fold")
    for step in sorted(measurement.steps, key=lambda s: (s.start_ms, s.end_ms)):
        table.add_row(
            f"{step.start_ms:.1f}",
            f"{step.end_ms - step.start_ms:.1f}",
            step.part,
            step.op,
            step.target,
            step.address,
            step.via,
            step.failure or "ok",
            details(step),
        )
    if measurement.internal:
        table.add_row("", "", "", "", "", "", "", f"our own bug: {measurement.internal}", "")
    return table


def details(step: Step) -> str:
    """What a step recorded besides its failure, in a few words."""
    found: list[str] = []
    if step.replies:
        found += [f"{', '.join(r.answers) or f'rcode {r.rcode}'} after {r.ms:.0f} ms" for r in step.replies]
    if step.certificate:
        found.append(f"certificate {step.certificate[:12]}… {step.certificate_failure or 'verified'}")
    if step.names:
        found.append(f"for {', '.join(step.names)}")
    if step.status is not None:
        found.append(f"{step.status}, {step.length} bytes")
    if step.location:
        found.append(f"to {step.location}")
    if step.fingerprint:
        found.append(f"block page {step.fingerprint}")
    if step.sent or step.received:
        found.append(f"{step.sent} B out, {step.received} B in")
    return "; ".join(found)

"""Segments and measurements as the columns that `Store.insert` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from probe.protocol.segment import measurement_id

if TYPE_CHECKING:
    from probe.protocol.measurement import Measurement, Segment, Step

NONE = -1
"""How an absent rcode, status or length is stored."""

Columns = dict[str, list[Any]]
"""Equal-length columns by name. Times are integer milliseconds since the epoch."""


class MeasurementRow(NamedTuple):
    """One measurement with its own id, those of its segment and probe, its provider, and when it was received (ms).

    `provider` is "" where the measurement counts for none.
    """

    id: str
    segment: str
    probe: str
    provider: str
    received_ms: int
    measurement: Measurement


def rows(
    segment_id: str, segment: Segment, received_ms: int, provider_of: Callable[[Measurement], str]
) -> Iterable[MeasurementRow]:
    """The rows of a segment, in the order of its measurements."""
    for n, m in enumerate(segment.measurements):
        yield MeasurementRow(measurement_id(segment_id, n), segment_id, segment.probe, provider_of(m), received_ms, m)


def measurements(measurement_rows: Sequence[MeasurementRow]) -> Columns:
    """The columns of the table `measurements`."""
    columns: Columns = {
        "measurement_id": [r.id for r in measurement_rows],
        "segment_id": [r.segment for r in measurement_rows],
        "probe": [r.probe for r in measurement_rows],
        "provider": [r.provider for r in measurement_rows],
        "received": [r.received_ms for r in measurement_rows],
    }
    facts = [r.measurement for r in measurement_rows]
    columns |= {name: list(map(attrgetter(path), facts)) for name, path in _FIELDS.items()}
    steps = [m.steps for m in facts]
    columns |= {f"steps.{name}": [tuple(map(value, s)) for s in steps] for name, value in _STEP_FIELDS.items()}
    return columns


def segments(received: Sequence[tuple[str, Segment, bytes]], received_ms: int) -> Columns:
    """The columns of the table `segments`, from (id, segment, envelope)."""
    return {
        "segment_id": [i for i, _, _ in received],
        "probe": [s.probe for _, s, _ in received],
        "sequence": [s.sequence for _, s, _ in received],
        "sealed": [s.sealed_ms for _, s, _ in received],
        "received": [received_ms] * len(received),
        "measurements": [len(s.measurements) for _, s, _ in received],
        "raw": [raw for _, _, raw in received],
    }


def injected(step: Step) -> bool:
    """Whether a later reply contradicts the first: another response code, or answers without a common address."""
    first, *others = step.replies or (None,)
    return first is not None and any(
        r.rcode != first.rcode or (r.answers != first.answers and set(r.answers).isdisjoint(first.answers))
        for r in others
    )


_FIELDS = {
    "run_id": "run_id",
    "watch": "watch",
    "watch_digest": "watch_digest",
    "surface": "surface",
    "check": "check",
    "target": "target",
    "role": "vantage.role",
    "asn": "vantage.asn",
    "asn_how": "vantage.asn_how",
    "country": "vantage.country",
    "access": "vantage.access",
    "access_how": "vantage.access_how",
    "line": "vantage.line",
    "line_how": "vantage.line_how",
    "line_kind": "vantage.line_kind",
    "line_kind_how": "vantage.line_kind_how",
    "network_changed": "vantage.changed",
    "path": "vantage.path",
    "resolver": "vantage.resolver",
    "at": "at_ms",
    "duration_ms": "duration_ms",
    "loop_lag_ms": "loop_lag_ms",
    "timeout_ms": "timeout_ms",
    "sweep": "sweep",
    "internal": "internal",
    "software": "software",
}
"""By column: the attribute of a measurement that it holds."""

_STEP_FIELDS: dict[str, Callable[[Step], Any]] = {
    **{
        name: attrgetter(name)
        for name in (
            *("part", "op", "target", "address", "via", "start_ms", "end_ms", "sent", "received", "answers"),
            *("certificate", "names", "location", "body_hash", "title_hash", "fingerprint", "curve"),
        )
    },
    "failure": lambda s: s.failure or "",
    "certificate_failure": lambda s: s.certificate_failure or "",
    "rcode": lambda s: NONE if s.rcode is None else s.rcode,
    "status": lambda s: NONE if s.status is None else s.status,
    "length": lambda s: NONE if s.length is None else s.length,
    "replies": lambda s: len(s.replies),
    "injected": injected,
}
"""By column of `steps`: how its value is read from a step."""

"""The evidence behind an answer, down to the bytes that a probe signed."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter

from aggregator.api.problems import ApiRequest
from aggregator.api.requests import (
    ETAG,
    PROBLEMS,
    UNCHANGED,
    ApiData,
    AsOf,
    InjectedApiData,
    WatchId,
    hashed,
    moment,
)
from aggregator.api.shapes import Measurements, StoredMeasurement, StoredVerdict
from probe.base import times
from probe.protocol import segment

_Hex = Annotated[str, PathParameter(pattern="^[0-9a-f]{32}$", description="128 bits in hex.")]


@get(
    "/watches/{watch:str}/measurements/{measurement:str}",
    operation_id="getMeasurements",
    summary="A measurement or a run",
    tags=["evidence"],
    opt={"shows": "measurements"},
    sync_to_thread=True,
    responses=PROBLEMS | UNCHANGED,
    response_headers=ETAG,
)
def measurements(
    request: ApiRequest, source: InjectedApiData, watch: WatchId, measurement: _Hex, as_of: AsOf = None
) -> Response[Measurements]:
    """One measurement by its id, or all of a run by the run's id, with their steps as the probe signed them.

    They are read from the stored segment, whose signature is checked again.
    """
    its_watch = source.watch(watch)
    rows = source.store.read(
        "measurement_places", watch=its_watch.id, id=measurement, as_of=moment("as_of", as_of, times.FOREVER)
    )
    if not rows:
        raise NotFoundException(f"watch {watch!r} has no measurement and no run {measurement!r}")
    verdicts = source.store.read(
        "run_verdicts", watch=its_watch.id, provider=rows[0]["provider"], run_id=rows[0]["run_id"]
    )
    return hashed(
        request,
        Measurements(
            items=tuple(
                m for s in dict.fromkeys(p["segment_id"] for p in rows) for m in _stored_measurements(source, s, rows)
            ),
            verdicts=tuple(StoredVerdict(**v) for v in verdicts),
        ),
    )


@get(
    "/segments/{segment_id:str}/raw",
    operation_id="getSegment",
    summary="A segment's signed bytes",
    tags=["evidence"],
    opt={"shows": "raw"},
    media_type="application/octet-stream",
    sync_to_thread=True,
    responses=PROBLEMS | UNCHANGED,
    response_headers=ETAG,
)
def raw_segment(request: ApiRequest, source: InjectedApiData, segment_id: _Hex) -> Response[bytes]:
    """A segment's bytes as its probe signed them. Anybody can check the signature and compute the id from them."""
    headers = {
        "Content-Disposition": f'attachment; filename="{segment_id}.segment"',
        "Cache-Control": "max-age=31536000, immutable",
    }
    return hashed(request, _raw(source, segment_id), headers)


def _raw(source: ApiData, segment_id: str) -> bytes:
    rows = source.store.read("segment_raw", segment_id=segment_id)
    if not rows:
        raise NotFoundException(f"no segment {segment_id!r} is stored here")
    return base64.b64decode(rows[0]["raw"])


def _stored_measurements(source: ApiData, segment_id: str, rows: list[dict[str, Any]]) -> list[StoredMeasurement]:
    """The measurements of one segment that are among `rows`, which are those of the query `measurement_places`."""
    wanted = {p["measurement_id"]: p for p in rows}
    opened = segment.open(_raw(source, segment_id))
    stored = []
    for index, one in enumerate(opened.segment.measurements):
        row = wanted.get(segment.measurement_id(segment_id, index))
        if row is not None:
            stored.append(
                StoredMeasurement(
                    measurement_id=row["measurement_id"],
                    segment_id=segment_id,
                    probe=opened.segment.probe,
                    provider=row["provider"],
                    received=times.text(row["received"]),
                    measurement=one,
                )
            )
    return stored

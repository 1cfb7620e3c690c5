"""What an answer rests on, down to the bytes that a probe signed."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter

from aggregator.api.requests import PROBLEMS, ApiData, Asked, AsOf, Sources, WatchId, hashed, moment
from aggregator.api.shapes import Measurements, StoredMeasurement, StoredVerdict
from probe.base import times
from probe.protocol import segment

_Hex = Annotated[str, PathParameter(pattern="^[0-9a-f]{32}$", description="128 bits in hex.")]


@get(
    "/watches/{watch:str}/measurements/{measurement:str}",
    opt={"shows": "measurements"},
    sync_to_thread=True,
    responses=PROBLEMS,
)
def measurements(
    request: Asked, source: Sources, watch: WatchId, measurement: _Hex, as_of: AsOf = None
) -> Response[Measurements]:
    """One measurement by its id, or all of a run by the run's, with their steps as the probe signed them.

    The steps are read from the signed bytes, whose signature is checked again.
    """
    known = source.watch(watch)
    places = source.store.read(
        "measurement_places", watch=known.id, id=measurement, as_of=moment("as_of", as_of, times.FOREVER)
    )
    if not places:
        raise NotFoundException(f"watch {watch!r} has no measurement and no run {measurement!r}")
    verdicts = source.store.read(
        "run_verdicts", watch=known.id, provider=places[0]["provider"], run_id=places[0]["run_id"]
    )
    return hashed(
        request,
        Measurements(
            items=tuple(m for s in dict.fromkeys(p["segment_id"] for p in places) for m in _opened(source, s, places)),
            verdicts=tuple(StoredVerdict(**v) for v in verdicts),
        ),
    )


@get(
    "/segments/{segment_id:str}/raw",
    opt={"shows": "raw"},
    media_type="application/octet-stream",
    sync_to_thread=True,
    responses=PROBLEMS,
)
def raw_segment(source: Sources, segment_id: _Hex) -> Response[bytes]:
    """A segment's bytes as its probe signed them: anybody can check the signature and recompute the id."""
    headers = {
        "Content-Disposition": f'attachment; filename="{segment_id}.segment"',
        "Cache-Control": "max-age=31536000, immutable",
    }
    return Response(_raw(source, segment_id), media_type="application/octet-stream", headers=headers)


def _raw(source: ApiData, segment_id: str) -> bytes:
    rows = source.store.read("segment_raw", segment_id=segment_id)
    if not rows:
        raise NotFoundException(f"no segment {segment_id!r} is stored here")
    return base64.b64decode(rows[0]["raw"])


def _opened(source: ApiData, segment_id: str, places: list[dict[str, Any]]) -> list[StoredMeasurement]:
    """The measurements of one segment that are among `places`."""
    wanted = {p["measurement_id"]: p for p in places}
    opened = segment.open(_raw(source, segment_id))
    found = []
    for index, one in enumerate(opened.segment.measurements):
        at = wanted.get(segment.measurement_id(segment_id, index))
        if at is not None:
            found.append(
                StoredMeasurement(
                    measurement_id=at["measurement_id"],
                    segment_id=segment_id,
                    probe=opened.segment.probe,
                    provider=at["provider"],
                    received=times.text(at["received"]),
                    measurement=one,
                )
            )
    return found

"""What the routes share: their data, parameters, cursors and ETags."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar, cast

import msgspec
from litestar import Response
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.exceptions import ClientException, NotFoundException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter, QueryParameter, SkipValidation

from aggregator.api.problems import ApiRequest, documented
from aggregator.api.shapes import Health
from probe.base import times
from probe.protocol.prefix_table import OriginTable
from probe.protocol.watch import Provider, Watch

SOFTWARE = importlib.metadata.version("blockonset")

Shape = TypeVar("Shape")


class NamedReads(Protocol):
    """The part of the store that the API uses: named reads with bound parameters."""

    def read(self, name: str, **params: object) -> list[dict[str, Any]]:
        """Run aggregator/store/queries/<name>.sql. Returns its rows by column name. Raises StoreError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiData:
    """The data that the routes read."""

    store: NamedReads
    watches: Mapping[str, Watch]
    health: Callable[[], Health]
    prefixes: OriginTable | None

    def watch(self, watch: str) -> Watch:
        """The watch by its id. Raises NotFoundException (404)."""
        if watch not in self.watches:
            raise NotFoundException(f"no watch {watch!r}; /v1/watches lists all watches")
        return self.watches[watch]

    def provider(self, watch: str, provider: str) -> tuple[Watch, Provider]:
        """A watch and one of its providers. Raises NotFoundException (404)."""
        its_watch = self.watch(watch)
        its_provider = next((p for p in its_watch.providers if p.id == provider), None)
        if its_provider is None:
            raise NotFoundException(f"watch {watch!r} has no provider {provider!r}; /v1/watches lists its providers")
        return its_watch, its_provider


InjectedApiData = NamedDependency[SkipValidation[ApiData]]

WRONG_PARAMETER = "a parameter is wrong; the detail names it"
UNKNOWN_NAME = "what the path names does not exist; the detail names it"
PROBLEMS = documented(s400=WRONG_PARAMETER, s404=UNKNOWN_NAME, s503="the store did not answer")

UNCHANGED = {304: ResponseSpec(None, description="unchanged since the answer with the ETag given in `If-None-Match`")}
ETAG = (
    ResponseHeader(
        name="ETag",
        value="",  # of the header's type, which the document then gives
        description="The answer's version, for `If-None-Match`.",
        documentation_only=True,
    ),
)
"""For the OpenAPI document: the response and the header of routes that answer with `versioned` or `hashed`."""

NO_STORE = {"Cache-Control": "no-store"}
"""The headers of an answer that holds for one caller or one moment."""

AsOf = Annotated[
    dt.datetime | None,
    QueryParameter(description="Answer from what was known then (RFC 3339). Default: all that is known."),
]
Cursor = Annotated[str | None, QueryParameter(description="The `next` of the page before. Default: the first page.")]
WatchId = Annotated[str, PathParameter(description="A watch's id, from /v1/watches.")]
ProviderId = Annotated[str, PathParameter(description="A provider's id within the watch.")]


def moment(name: str, time: dt.datetime | None, default: int) -> int:
    """A time parameter as milliseconds since the epoch. Raises ClientException (400) where it has no time zone."""
    if time is None:
        return default
    if time.tzinfo is None:
        raise ClientException(f"{name}: add the time zone, as in 2025-05-25T21:40:00Z")
    return min(times.milliseconds(time), times.FOREVER)


def to_cursor(key: Sequence[object]) -> str:
    """A row's sorting key as opaque text: the next page begins after that row."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def from_cursor(text: str | None, default: tuple[int | str, ...]) -> tuple[Any, ...]:
    """The sorting key in a cursor, or the default where there is none.

    Raises ClientException (400) for a text that is not a key with the default's number and types of parts.
    """
    if text is None:
        return default
    try:
        key = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=tuple[int | str, ...])
    except (ValueError, msgspec.MsgspecError):
        key = ()
    if [type(part) for part in key] != [type(part) for part in default]:
        raise ClientException("cursor: not one that this route gave; give `next` of the page before, or leave it out")
    return key


def versioned(request: ApiRequest, version: Sequence[object], build: Callable[[], Shape]) -> Response[Shape]:
    """Answer with an ETag of the request, a version of its data, and the software, whose answers may have other shapes.

    The answer is built only if the caller lacks it.
    """
    identity = (SOFTWARE, request.url.path, sorted(request.query_params.multi_items()), *version)
    return _tagged(request, msgspec.json.encode(identity), build, {})


def hashed(request: ApiRequest, value: Shape, headers: Mapping[str, str] | None = None) -> Response[Shape]:
    """Answer with an ETag of the answer itself, for data without a version. `headers` are added, or replace ours."""
    return _tagged(request, msgspec.json.encode(value), lambda: value, headers or {})


def _tagged(
    request: ApiRequest, material: bytes, build: Callable[[], Shape], headers: Mapping[str, str]
) -> Response[Shape]:
    tag = f'"{hashlib.blake2b(material, digest_size=16).hexdigest()}"'
    all_headers = {"ETag": tag, "Cache-Control": "no-cache", **headers}
    given = ",".join(request.headers.getall("If-None-Match", []))
    known = {t.strip().removeprefix("W/") for t in given.split(",")}
    if tag in known or "*" in known:
        return Response(cast("Shape", b""), status_code=304, headers=all_headers)
    return Response(build(), headers=all_headers)

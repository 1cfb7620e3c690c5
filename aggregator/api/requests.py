"""What the routes share: their data, parameters, cursors and ETags."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar, cast

import msgspec
from litestar import Response
from litestar.di import NamedDependency
from litestar.exceptions import ClientException, NotFoundException
from litestar.params import PathParameter, QueryParameter, SkipValidation

from aggregator.api.problems import ApiRequest, documented
from aggregator.api.shapes import Health
from probe.base import times
from probe.protocol.prefix_table import PrefixTable
from probe.protocol.watch import Provider, Watch

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
    prefixes: PrefixTable | None

    def watch(self, watch: str) -> Watch:
        """The watch by its id. Raises NotFoundException (404)."""
        if watch not in self.watches:
            raise NotFoundException(f"no watch {watch!r} here; /v1/watches lists those there are")
        return self.watches[watch]

    def provider(self, watch: str, provider: str) -> tuple[Watch, Provider]:
        """A watch and one of its providers. Raises NotFoundException (404)."""
        its_watch = self.watch(watch)
        found = next((p for p in its_watch.providers if p.id == provider), None)
        if found is None:
            raise NotFoundException(f"watch {watch!r} has no provider {provider!r}; /v1/watches lists those there are")
        return its_watch, found


InjectedApiData = NamedDependency[SkipValidation[ApiData]]

PROBLEMS = documented(
    s400="a parameter is wrong; the detail names it",
    s404="what the path names does not exist; the detail names it",
    s503="the store did not answer",
)

AsOf = Annotated[
    dt.datetime | None,
    QueryParameter(name="as_of", description="Answer from what was known then (RFC 3339). Default: all that is known."),
]
Cursor = Annotated[
    str | None, QueryParameter(name="cursor", description="The `next` of the page before. Default: the first page.")
]
WatchId = Annotated[str, PathParameter(description="A watch's id, from /v1/watches.")]
ProviderId = Annotated[str, PathParameter(description="A provider's id within the watch.")]


def moment(name: str, at: dt.datetime | None, default: int) -> int:
    """A time parameter as milliseconds since the epoch. Raises ClientException (400) where it has no time zone."""
    if at is None:
        return default
    if at.tzinfo is None:
        raise ClientException(f"{name}: add the time zone, as in 2025-05-25T21:40:00Z")
    return min(times.milliseconds(at), times.FOREVER)


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
    """Answer with an ETag of the request and a version of its data; the answer is built only if the caller lacks it."""
    identity = (request.url.path, sorted(request.query_params.multi_items()), *version)
    return _tagged(request, msgspec.json.encode(identity), build)


def hashed(request: ApiRequest, value: Shape) -> Response[Shape]:
    """Answer with an ETag of the answer itself, for data without a version."""
    return _tagged(request, msgspec.json.encode(value), lambda: value)


def _tagged(request: ApiRequest, material: bytes, build: Callable[[], Shape]) -> Response[Shape]:
    tag = f'"{hashlib.blake2b(material, digest_size=16).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    known = {t.strip().removeprefix("W/") for t in request.headers.get("If-None-Match", "").split(",")}
    if tag in known or "*" in known:
        return Response(cast("Shape", None), status_code=304, headers=headers)
    return Response(build(), headers=headers)

"""Every error as a problem detail (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, cast

import msgspec
import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec

from aggregator.store.store import StoreError

log = structlog.get_logger()

Asked = Request[Any, Any, Any]


MEDIA_TYPE = "application/problem+json"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong. `title` is the status in words, `detail` names the thing and says what to do."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str


def respond(request: Asked, status: int, detail: str) -> Response[Problem]:
    """A problem as a response."""
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, instance=request.url.path)
    return Response(problem, status_code=status, media_type=MEDIA_TYPE)


def from_http(request: Asked, error: HTTPException) -> Response[Problem]:
    """A refusal by a route or by Litestar. A parameter that is wrong is named."""
    said = error.extra if isinstance(error.extra, list) else []
    wrong = "; ".join(f"{e.get('key', '?')}: {e.get('message', '')}" for e in said if isinstance(e, dict))
    response = respond(request, error.status_code, wrong or error.detail or HTTPStatus(error.status_code).phrase)
    if error.headers:
        response.headers.update(error.headers)
    return response


def from_bug(request: Asked, error: Exception) -> Response[Problem]:
    """Our own failure: logged whole, told without its insides."""
    log.error("api_failed", path=request.url.path, exc_info=error)
    return respond(request, 500, "the aggregator failed to answer; its log says why")


def from_store(request: Asked, error: StoreError) -> Response[Problem]:
    """The store is gone, busy or passed a limit."""
    log.warning("store_failed", path=request.url.path, error=str(error))
    return respond(request, 503, "the store did not answer; try again in a moment")


def documented(**codes: str) -> dict[int, ResponseSpec]:
    """The problems a route may answer with, for its description: `s404="no such watch"`."""
    return {
        int(code.removeprefix("s")): ResponseSpec(
            Problem, description=why, generate_examples=False, media_type=cast("MediaType", MEDIA_TYPE)
        )
        for code, why in codes.items()
    }


HANDLERS: dict[int | type[Exception], Any] = {HTTPException: from_http, StoreError: from_store, Exception: from_bug}

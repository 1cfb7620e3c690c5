"""Every error as a problem detail (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.openapi.datastructures import ResponseSpec

from aggregator.store.store import StoreError

log = structlog.get_logger()

ApiRequest = Request[Any, Any, Any]

MEDIA_TYPE = "application/problem+json"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error. `title` is the status in words, `detail` names what is wrong and says what to do."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    """The path of the request; "" where the request could not be parsed."""


def respond(request: ApiRequest, status: int, detail: str) -> Response[Problem]:
    """A problem as a response."""
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, instance=request.url.path)
    return Response(problem, status_code=status, media_type=MEDIA_TYPE)


def from_http(request: ApiRequest, error: HTTPException) -> Response[Problem]:
    """The problem for an error that a route or Litestar raised. Wrong parameters are named."""
    parameters = error.extra if isinstance(error.extra, list) else []
    wrong = "; ".join(_parameter(**p) for p in parameters if isinstance(p, dict))
    response = respond(request, error.status_code, wrong or error.detail or HTTPStatus(error.status_code).phrase)
    if error.headers:
        response.headers.update(error.headers)
    return response


def _parameter(*, key: str = "?", message: str = "", **_: object) -> str:
    """What is wrong with a parameter, by what Litestar found."""
    hint = " (as 2025-05-25T21:40:00Z; in a URL, + is written %2B)" if "RFC3339" in message else ""
    return f"{key}: {message}{hint}"


def from_path(request: ApiRequest, error: NotFoundException) -> Response[Problem]:
    """The problem for a path that does not exist, or that names something that does not exist."""
    is_route = "route_handler" in request.scope
    return from_http(request, error) if is_route else respond(request, 404, "no such path; /docs lists all paths")


def from_method(request: ApiRequest, error: MethodNotAllowedException) -> Response[Problem]:
    """The problem for a method that no route has. The header Allow names those that the path has."""
    detail = f"{request.method[:20]} is not supported here: this API is only read, with GET or HEAD"
    response = respond(request, error.status_code, detail)
    response.headers.update(error.headers or {})
    return response


def from_bug(request: ApiRequest, error: Exception) -> Response[Problem]:
    """The problem for a bug: all of it is logged, and no detail of it answered."""
    log.error("a request failed because of a bug", path=request.url.path, exc_info=error)
    return respond(request, 500, "the aggregator failed to answer; its log shows the error")


def from_store(request: ApiRequest, error: StoreError) -> Response[Problem]:
    """The problem for a store that is gone or busy, or whose query passed a limit."""
    log.warning("the store failed to answer a request", path=request.url.path, error=str(error))
    return respond(request, 503, "the store did not answer; try again in a moment")


def documented(**codes: str) -> dict[int, ResponseSpec]:
    """The problems that a route may answer with, for the OpenAPI document. Keywords: `s404="no such watch"`."""
    return {
        int(code.removeprefix("s")): ResponseSpec(
            Problem, description=why, generate_examples=False, media_type=MEDIA_TYPE
        )
        for code, why in codes.items()
    }


HANDLERS: dict[int | type[Exception], Any] = {
    HTTPException: from_http,
    NotFoundException: from_path,
    MethodNotAllowedException: from_method,
    StoreError: from_store,
    Exception: from_bug,
}

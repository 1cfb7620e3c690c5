"""What each audience may see.

Every route declares what it shows (`opt={"shows": …}`), and SEES says which audiences may see that. A route that
declares nothing is refused to everybody. The one-machine stack listens on loopback only, where every caller counts as
an analyst.
"""

from __future__ import annotations

from typing import Any, Literal

from litestar.connection import ASGIConnection
from litestar.exceptions import PermissionDeniedException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

Audience = Literal["analyst"]
Kind = Literal[
    "directives", "rule_sets", "answers", "series", "measurements", "raw", "network", "health", "metrics", "manual"
]

SEES: dict[Audience, frozenset[Kind]] = {
    "analyst": frozenset(
        (
            "directives",
            "rule_sets",
            "answers",
            "series",
            "measurements",
            "raw",
            "network",
            "health",
            "metrics",
            "manual",
        )
    ),
}


def audience_of(_connection: ASGIConnection[Any, Any, Any, Any]) -> Audience:
    """The audience that a caller belongs to."""
    return "analyst"


def is_options(handler: BaseRouteHandler) -> bool:
    """Whether a handler answers OPTIONS alone, as the one that Litestar adds to each route. It shows no data."""
    return isinstance(handler, HTTPRouteHandler) and handler.http_methods == {"OPTIONS"}


def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse what the caller's audience may not see. Raises PermissionDeniedException (403)."""
    if is_options(handler):
        return
    kind = handler.opt.get("shows")
    if kind is None:
        raise PermissionDeniedException("this route does not declare what it shows, so nobody may see it")
    if kind not in SEES[audience_of(connection)]:
        raise PermissionDeniedException(f"{kind}: this audience may not see it")

"""The one place that decides what an audience may see.

Every route under /v1 says what it shows (`opt={"shows": …}`); this table says who may see that. The one-machine
stack listens on loopback only, and whoever reaches it there is an analyst.
"""

from __future__ import annotations

from typing import Any, Literal

from litestar.connection import ASGIConnection
from litestar.exceptions import PermissionDeniedException
from litestar.handlers import BaseRouteHandler

Audience = Literal["analyst"]
Kind = Literal["directives", "rule_sets", "answers", "series", "measurements", "raw", "network"]

SEES: dict[Audience, frozenset[Kind]] = {
    "analyst": frozenset(("directives", "rule_sets", "answers", "series", "measurements", "raw", "network")),
}


def of(_connection: ASGIConnection[Any, Any, Any, Any]) -> Audience:
    """Who is asking."""
    return "analyst"


def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse what the caller's audience may not see. Raises PermissionDeniedException (403)."""
    if handler.opt["shows"] not in SEES[of(connection)]:
        raise PermissionDeniedException(f"{handler.opt['shows']}: not for this audience")

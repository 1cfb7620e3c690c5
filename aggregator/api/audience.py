"""What each audience may see.

Every route under /v1 declares what it shows (`opt={"shows": …}`), and SEES says which audiences may see that. The
one-machine stack listens on loopback only, where every caller counts as an analyst.
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


def audience_of(_connection: ASGIConnection[Any, Any, Any, Any]) -> Audience:
    """The audience that a caller belongs to."""
    return "analyst"


def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse what the caller's audience may not see. Raises PermissionDeniedException (403)."""
    if handler.opt["shows"] not in SEES[audience_of(connection)]:
        raise PermissionDeniedException(f"{handler.opt['shows']}: this audience may not see it")

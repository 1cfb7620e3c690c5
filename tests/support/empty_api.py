"""The HTTP API over nothing: its routes and shapes without any data."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from aggregator.api.app import create_app

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litestar import Litestar

    from probe.protocol.watch import Watch


def empty_api(watches: Mapping[str, Watch] | None = None) -> Litestar:
    """The application over a store without rows, serving these watches."""
    store = SimpleNamespace(read=lambda *_, **__: [])
    return create_app(store, watches or {}, health=lambda: {"ok": True}, prefixes=None)

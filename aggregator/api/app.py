"""The application: every route, the problem details, the OpenAPI document and its page."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping
from pathlib import Path

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from aggregator.api import audience, problems
from aggregator.api.requests import ApiData, NamedReads
from aggregator.api.routes import answers, evidence, manual, operation, rules, series
from aggregator.api.shapes import Health
from probe.protocol.prefix_table import PrefixTable
from probe.protocol.watch import Watch

_ABOUT = """\
When did each network provider begin to block a service? Answers are given per provider and surface, as an interval \
with a stated probability, and can be read as of any earlier time.

Times are RFC 3339 UTC with milliseconds. Errors are problem details (RFC 9457). Long answers are read page by page: \
give `next` back as `cursor`. Answers carry an ETag: give it back in `If-None-Match`, and \
get 304 while nothing changed."""


def create_app(
    store: NamedReads,
    watches: Mapping[str, Watch],
    *,
    health: Callable[[], Health],
    prefixes: Path | None,
) -> Litestar:
    """Build the API over a store, for these watches by their ids.

    `health` is called in a thread. `prefixes` is the file of the operator's prefix table. Raises UserError for a table
    that can't be read.
    """
    table = PrefixTable.read(prefixes) if prefixes else None
    source = ApiData(store=store, watches=watches, health=health, prefixes=table)
    read = [answers.watches, answers.onsets, answers.provider_page, series.series]
    read += [evidence.measurements, evidence.raw_segment, rules.rules, operation.whoami]
    return Litestar(
        route_handlers=[
            Router("/v1", route_handlers=read, guards=[audience.guard]),
            operation.healthz,
            operation.metrics,
            manual.page,
            manual.document,
        ],
        dependencies={"source": Provide(lambda: source, sync_to_thread=False)},
        exception_handlers=problems.HANDLERS,
        openapi_config=OpenAPIConfig(
            title="Blockonset",
            version=importlib.metadata.version("blockonset"),
            description=_ABOUT,
            path="/docs/openapi",  # Litestar's own pages, which at the root would answer every unknown path
            use_handler_docstrings=True,
            render_plugins=[JsonRenderPlugin()],
        ),
        logging_config=None,
    )

"""The application: every route, the problem details, the OpenAPI document and its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Contact, License, Tag
from litestar.plugins.prometheus import PrometheusConfig

from aggregator import metrics
from aggregator.api import audience, problems
from aggregator.api.application import NoRoutes, ReadOnlyApi
from aggregator.api.descriptions import StructSchemas
from aggregator.api.requests import SOFTWARE, ApiData, NamedReads
from aggregator.api.routes import answers, evidence, manual, operation, rules, series
from aggregator.api.shapes import Health
from probe.protocol import prefix_table
from probe.protocol.watch import Watch

_SUMMARY = "When did each network provider begin to block a service?"
_ABOUT = """\
Answers are given per provider and surface, as an interval with a stated probability, and can be read as of any \
earlier time.

Times are RFC 3339 UTC with milliseconds. Errors are problem details (RFC 9457). Long answers are read page by page: \
give `next` back as `cursor`. Where an answer has an `ETag`, give it back in `If-None-Match`, and get 304 while \
nothing changed.

HEAD is answered as GET is, without the body. OPTIONS names the methods of a path. There are no other methods."""

_TAGS = [
    Tag("watches", "The services that are watched, and the orders to block them."),
    Tag("answers", "When each provider began to block a service, and how that answer changed."),
    Tag("evidence", "What the answers rest on: outcomes of runs, measurements, and the bytes that probes signed."),
    Tag("rules", "The rules by which runs are judged."),
    Tag("operation", "The aggregator itself: its health, its metrics, and the network that a caller is in."),
]

_HTTP_METRICS = PrometheusConfig(
    app_name="blockonset", prefix="blockonset_http", group_path=True, buckets=[*metrics.SECONDS]
)
"""Counts requests by method, route and status. A path is a route's template: no label holds what was asked for."""


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
    table = prefix_table.read(prefixes) if prefixes else None
    source = ApiData(store=store, watches=watches, health=health, prefixes=table)
    read = [answers.watches, answers.onsets, answers.provider_page, series.series]
    read += [evidence.measurements, evidence.raw_segment, rules.rules, operation.whoami]
    app = ReadOnlyApi(
        route_handlers=[
            Router("/v1", route_handlers=read),
            operation.healthz,
            operation.metrics,
            manual.page,
            manual.document,
        ],
        guards=[audience.guard],
        middleware=[_HTTP_METRICS.middleware],
        dependencies={"source": Provide(lambda: source, sync_to_thread=False)},
        exception_handlers=problems.HANDLERS,
        openapi_config=OpenAPIConfig(
            title="Blockonset",
            version=SOFTWARE,
            summary=_SUMMARY,
            description=_ABOUT,
            license=License("Apache-2.0", identifier="Apache-2.0"),
            contact=Contact("The Blockonset developers"),
            tags=_TAGS,
            use_handler_docstrings=True,
            openapi_router=NoRoutes("/", route_handlers=[]),
        ),
        plugins=[StructSchemas()],
        logging_config=None,
    )
    app.state.document = app.openapi_schema.to_schema()  # made here, as requests are answered in several threads
    return app

"""What operators and probes ask for: the caller's network, the aggregator's health, and metrics."""

from __future__ import annotations

from litestar import Response, get
from litestar.exceptions import ServiceUnavailableException
from litestar.openapi.datastructures import ResponseSpec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from aggregator.api.problems import ApiRequest, documented
from aggregator.api.requests import NO_STORE, InjectedApiData
from aggregator.api.shapes import Health, WhoAmI
from probe.protocol.prefix_table import Origin

_NO_TABLE = "no prefix table here: start the aggregator with --prefixes FILE, or set BLOCKONSET_AGGREGATOR_PREFIXES"


@get(
    "/whoami",
    operation_id="getNetwork",
    summary="The caller's network",
    tags=["operation"],
    opt={"shows": "network"},
    sync_to_thread=False,
    responses=documented(s503="no prefix table here"),
)
def whoami(request: ApiRequest, source: InjectedApiData) -> Response[WhoAmI]:
    """The network that the caller's address belongs to, by the operator's dated prefix table.

    The address is looked up, and neither stored nor logged. 503 where the operator has no table.
    """
    if source.prefixes is None:
        raise ServiceUnavailableException(_NO_TABLE)
    network = (source.prefixes.find(request.client.host) if request.client else None) or Origin(0, "")
    answer = WhoAmI(asn=network.asn, country=network.country, table_date=source.prefixes.date.isoformat())
    return Response(answer, headers=NO_STORE)


@get(
    "/healthz",
    operation_id="getHealth",
    summary="Whether the aggregator works",
    tags=["operation"],
    opt={"shows": "health"},
    sync_to_thread=True,
    responses={503: ResponseSpec(Health, description="the aggregator does not work", generate_examples=False)},
)
def healthz(source: InjectedApiData) -> Response[Health]:
    """Whether the aggregator works: 200 if it does, 503 with what is wrong if it does not."""
    health = source.health()
    return Response(health, status_code=200 if health.ok else 503, headers=NO_STORE)


@get(
    "/metrics",
    operation_id="getMetrics",
    summary="Metrics for Prometheus",
    tags=["operation"],
    opt={"shows": "metrics"},
    media_type=CONTENT_TYPE_LATEST,
    sync_to_thread=True,
)
def metrics() -> Response[bytes]:
    """Counters and gauges in the text format of Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST, headers=NO_STORE)

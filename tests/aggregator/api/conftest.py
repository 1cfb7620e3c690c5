"""The API over a store with the invented country in it, behind a real socket."""

import httpx
import pytest

from aggregator.api.app import create_app
from probe.protocol import segment
from probe.protocol.keys import Key
from probe.protocol.measurement import Measurement, Step, Vantage
from tests.support import lab_country
from tests.support.asgi_server import serving

WATCH = lab_country.watch()
PREFIXES = "# date: 2026-05-01\nprefix,asn,country\n127.0.0.0/8,64999,XO\n"


@pytest.fixture(scope="module")
def sealed(store):
    """Puts the invented country and a segment with two measurements into the store. Gives the segment."""
    lab_country.fill(store)
    key = Key.create("user")
    one = segment.seal([_measurement("dns"), _measurement("tls")], key, 1, lab_country.ZERO_MS)
    _keep(store, one, key.id)
    return one


@pytest.fixture(scope="module")
def health():
    """Fields of the aggregator's health that differ from one that works; tests change it."""
    return {}


@pytest.fixture(scope="module")
def api(store, sealed, health, tmp_path_factory):
    """A client of the running API."""
    table = tmp_path_factory.mktemp("prefixes") / "prefixes.csv"
    table.write_text(PREFIXES)
    app = create_app(store, {WATCH.id: WATCH}, health=lambda: lab_country.health(**health), prefixes=table)
    with serving(app) as url, httpx.Client(base_url=url) as client:
        yield client


def _measurement(check):
    step = Step(op="resolve", target="web.papergull.example", start_ms=0.0, end_ms=12.5, failure="dns_nxdomain_error")
    return Measurement(
        watch="ostramere", watch_digest=WATCH.digest, run_id="ab" * 16, surface="web", check=check,
        target="web.papergull.example", vantage=Vantage(asn=64600), at_ms=lab_country.ZERO_MS, duration_ms=20.0,
        steps=(step,),
    )  # fmt: skip


def _keep(store, one, probe):
    """A segment and its measurements as ingest stores them."""
    at = [lab_country.ZERO_MS]
    store.insert(
        "segments",
        {"segment_id": [one.id], "probe": [probe], "sequence": [1], "sealed": at, "received": at,
         "measurements": [2], "raw": [one.raw]},
    )  # fmt: skip
    ids = [segment.measurement_id(one.id, i) for i in range(2)]
    store.insert(
        "measurements",
        {"measurement_id": ids, "segment_id": [one.id] * 2, "run_id": ["ab" * 16] * 2, "watch": ["ostramere"] * 2,
         "provider": ["brindlewick-fixed"] * 2, "received": at * 2, "at": at * 2},
    )  # fmt: skip


@pytest.fixture(scope="module")
def paths(sealed):
    """Each route of the API with a path that it answers with 200."""
    base = "/v1/watches/ostramere"
    return {
        "/v1/watches": "/v1/watches",
        "/v1/watches/{watch}/onsets": f"{base}/onsets",
        "/v1/watches/{watch}/providers/{provider}": f"{base}/providers/hobsquay-mobile",
        "/v1/watches/{watch}/providers/{provider}/series": f"{base}/providers/hobsquay-mobile/series?limit=5",
        "/v1/watches/{watch}/measurements/{measurement}": f"{base}/measurements/{'ab' * 16}",
        "/v1/segments/{segment_id}/raw": f"/v1/segments/{sealed.id}/raw",
        "/v1/rule-sets/{version}": f"/v1/rule-sets/{lab_country.RULES}",
        "/v1/whoami": "/v1/whoami",
        "/healthz": "/healthz",
        "/metrics": "/metrics",
        "/docs": "/docs",
        "/openapi.json": "/openapi.json",
    }

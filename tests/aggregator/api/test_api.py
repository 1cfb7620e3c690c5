"""The API over a real store and a real socket."""

import importlib.metadata
import re
from pathlib import Path

import httpx
import msgspec
import pytest

from aggregator.api.app import create_app
from aggregator.inference.answer.answer import Answer
from aggregator.judging import rule_set
from probe.base import times
from probe.protocol import segment
from tests.support import doc_pages, lab_country
from tests.support.asgi_server import serving
from tests.support.maxmind import mmdb

WATCH = lab_country.watch()
BASE = "/v1/watches/ostramere"
EARLY = times.text(lab_country.ZERO_MS + 20_000)


def entry(body, provider):
    """One provider's entry among the onsets."""
    return next(e for e in body["providers"] if e["provider"] == provider)


def test_watches_have_the_order_with_what_its_dates_can_mean(api):
    """Dates are given as they were written, with the instants they can mean. Endpoints are left out."""
    (watch,) = api.get("/v1/watches").json()["items"]
    assert (watch["id"], watch["fictional"], watch["digest"]) == ("ostramere", True, WATCH.digest)
    deadline = watch["directive"]["dates"][1]
    assert (deadline["kind"], deadline["limit"]) == ("block_by", "2026-05-01T10:01:15.000Z")
    assert (deadline["value"], deadline["precision"]) == ("2026-05-01T10:01:15", "second")
    assert watch["providers"][0]["asns"] == [64600]
    assert "198.51.100" not in str(watch)


def test_onsets_give_every_provider_its_last_answer(api):
    """The newest revision of each, with words and counts; no provider is left out."""
    body = api.get(f"{BASE}/onsets").json()
    assert [e["provider"] for e in body["providers"]] == list(lab_country.KINDS)
    assert body["counts"]["stopped"] == 7
    assert body["headline"].startswith("Of 11 providers measured, Papergull stopped working on 7")
    assert body["as_of"] == times.text(lab_country.ZERO_MS + 150_000)
    one = entry(body, "brindlewick-fixed")
    assert msgspec.convert(one["answer"], Answer) == lab_country.answer("brindlewick-fixed")
    assert one["lag"] == {"earliest": 12.3, "estimate": [13.4, 14.4], "latest": 15.9}
    assert one["lag_words"] == "14 s after"
    assert one["deadline"] == {"kind": "block_by", "limit": "2026-05-01T10:01:15.000Z", "before": True}
    assert entry(body, "mossend-fixed")["answer"] is None


def test_as_of_gives_what_was_known_then(api):
    """Later revisions are ignored; before the first one nothing is known."""
    body = api.get(f"{BASE}/onsets", params={"as_of": EARLY}).json()
    assert entry(body, "brindlewick-fixed")["answer"]["state"] == "insufficient"
    assert body["counts"]["insufficient"] == 11
    none = api.get(f"{BASE}/onsets", params={"as_of": "2020-01-01T00:00:00+07:00"}).json()
    assert (none["as_of"], none["counts"]["unmeasured"]) == (None, 12)


def test_an_unchanged_answer_is_not_sent_again(api, store):
    """The ETag stays the same until a revision is added, and differs between requests."""
    first = api.get(f"{BASE}/onsets")
    tag = {"If-None-Match": f'"other", W/{first.headers["ETag"]}'}
    again = api.get(f"{BASE}/onsets", headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert api.get(f"{BASE}/onsets", params={"as_of": EARLY}, headers=tag).status_code == 200

    columns = {n: [] for n in lab_country._ONSET}
    lab_country._revision(columns, lab_country.answer("kittering-fixed"), lab_country.ZERO_MS + 149_000)
    store.insert("onsets", columns)
    assert api.get(f"{BASE}/onsets", headers=tag).status_code == 200


def test_another_version_of_the_software_sends_its_answer_again(api, monkeypatch):
    """The data are the same, and the answer's shape may be another."""
    before = api.get(f"{BASE}/onsets").headers["ETag"]
    monkeypatch.setattr("aggregator.api.requests.SOFTWARE", "999.0.0")
    assert api.get(f"{BASE}/onsets", headers={"If-None-Match": before}).status_code == 200


def test_a_provider_has_its_revisions_newest_first(api):
    """The pages give each revision exactly once, down to the first one."""
    seen, cursor = [], None
    while True:
        params = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = api.get(f"{BASE}/providers/fennimore-mobile", params=params).json()
        assert page["entry"]["sentence"].startswith("Papergull (app) stopped working on Fennimore")
        seen += page["revisions"]
        cursor = page["next"]
        if cursor is None:
            break
    assert [(r["state"], r["onset"]) for r in seen] == [("lifted", "2026-05-01T10:01:00.100Z"), ("insufficient", None)]


def test_a_series_gives_every_run_once(api):
    """All runs of the provider's probes and of the references, in order of time, over any number of pages."""
    runs, cursor = [], None
    while True:
        params = {"limit": 70} | ({"cursor": cursor} if cursor else {})
        page = api.get(f"{BASE}/providers/hobsquay-mobile/series", params=params).json()
        runs += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert len({r["run_id"] for r in runs}) == len(runs) == 4 * 75
    assert [r["at"] for r in runs] == sorted(r["at"] for r in runs)
    labels = [p["label"].split(" · ")[0] for p in page["probes"]]
    assert sorted(labels) == ["line 1", "line 2", "line 3", "reference"]
    failed = [r for r in runs if r["verdict"] == "blocked"]
    assert {r["method"] for r in failed} == {"http-blockpage"}
    assert min(r["at"] for r in failed) > "2026-05-01T10:01:33.700Z"


def test_a_series_is_limited_by_time_and_by_what_was_known(api):
    """`start` is inclusive, `end` exclusive, and a run that arrived after `as_of` is left out."""
    base = api.get(f"{BASE}/providers/hobsquay-mobile/series").json()["items"]
    params = {"start": base[10]["at"], "end": base[20]["at"]}
    assert api.get(f"{BASE}/providers/hobsquay-mobile/series", params=params).json()["items"] == base[10:20]
    params["as_of"] = base[15]["received"]
    known = api.get(f"{BASE}/providers/hobsquay-mobile/series", params=params).json()["items"]
    assert known == [r for r in base[10:20] if r["received"] <= base[15]["received"]]
    assert 0 < len(known) < 10


def test_bins_count_the_outcomes_of_the_runs(api):
    """The bins hold every run, with the same outcome."""
    runs = api.get(f"{BASE}/providers/kittering-fixed/series").json()["items"]
    bins, cursor = [], None
    while True:
        params = {"bin": 10, "limit": 7} | ({"cursor": cursor} if cursor else {})
        page = api.get(f"{BASE}/providers/kittering-fixed/series", params=params).json()
        bins += page["bins"]
        cursor = page["next"]
        if cursor is None:
            break
    assert page["bin_s"] == 10
    assert page["items"] == []
    for outcome in ("ok", "blocked", "down", "inconclusive"):
        assert sum(b[outcome] for b in bins) == sum(r["verdict"] == outcome for r in runs)
    assert sum(b["inconclusive"] for b in bins) > 0


def test_a_failure_while_the_reference_fails_is_the_services_own(api, store):
    """A failure that a reference had at the same time is `down`, not `blocked`."""
    start = lab_country.ZERO_MS + 86_400_000
    columns = {n: [] for n in lab_country._VERDICT}
    for role, provider in (("probe", "caskenway-fixed"), ("reference", "")):
        for n in range(3):
            row = (lab_country.RULES, "ostramere", provider, "app", role, f"U{role}", "l", start + n * 2000, start,
                   f"{n:032x}",
                   "0" * 32, "blocked", "r", "tcp-timeout", "f", 1.0, "ok", "")  # fmt: skip
            for name, value in zip(lab_country._VERDICT, row, strict=True):
                columns[name].append(value)
    store.insert("verdicts", columns)
    page = api.get(f"{BASE}/providers/caskenway-fixed/series", params={"start": times.text(start)}).json()
    assert [r["verdict"] for r in page["items"]] == ["down"] * 6


def test_a_run_opens_to_its_steps_and_signed_bytes(api, sealed):
    """From a run to its measurements and to the signed bytes, whose signature and id anybody can check."""
    found = api.get(f"{BASE}/measurements/{'ab' * 16}").json()
    assert [m["measurement"]["check"] for m in found["items"]] == ["dns", "tls"]
    assert found["items"][0]["measurement"]["steps"][0]["failure"] == "dns_nxdomain_error"
    one = api.get(f"{BASE}/measurements/{found['items'][1]['measurement_id']}").json()
    assert [m["measurement"]["check"] for m in one["items"]] == ["tls"]

    raw = api.get(f"/v1/segments/{sealed.id}/raw")
    assert raw.headers["Content-Type"] == "application/octet-stream"
    assert raw.content == sealed.raw
    assert segment.open(raw.content).id == sealed.id


def test_a_rule_set_is_served_with_its_reasons(api):
    """All rules in the order in which they are tried, with the digest of their file. Runs name their rule."""
    rules = rule_set.load(lab_country.RULES)
    answered = api.get(f"/v1/rule-sets/{rules.version}")
    body = answered.json()
    assert (body["version"], body["digest"], body["in_force"]) == (rules.version, rules.digest, True)
    assert msgspec.convert(body["rules"], tuple[rule_set.Rule, ...]) == rules.rules
    run = api.get(f"{BASE}/providers/hobsquay-mobile/series").json()["items"][0]
    assert next(r["reason"] for r in body["rules"] if r["id"] == run["rule"])
    again = api.get(f"/v1/rule-sets/{rules.version}", headers={"If-None-Match": answered.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_an_older_rule_set_is_not_in_force(api, monkeypatch):
    """When a newer version exists the older one stays readable, is not in force, and has another ETag."""
    before = api.get(f"/v1/rule-sets/{lab_country.RULES}").headers["ETag"]
    monkeypatch.setattr("aggregator.api.routes.rules.newest", lambda: "2999-01")
    answered = api.get(f"/v1/rule-sets/{lab_country.RULES}", headers={"If-None-Match": before})
    assert answered.status_code == 200
    assert answered.json()["in_force"] is False


def test_a_caller_gets_its_network_and_the_date_of_the_table(api):
    """The answer has what a vantage needs, and does not contain the address."""
    answered = api.get("/v1/whoami")
    assert answered.json() == {"asn": 64999, "country": "XO", "table_date": "2026-05-01"}
    assert "127.0.0.1" not in answered.text


def test_whoami_reads_a_maxmind_table_too(store, tmp_path):
    """It is recognized by the file's ending; such a table of AS numbers has no countries."""
    pytest.importorskip("maxminddb")
    table = tmp_path / "asn.mmdb"
    table.write_bytes(mmdb(0x7F000000, 8, {"autonomous_system_number": 64999}))
    with serving(create_app(store, {}, health=lab_country.health, prefixes=table)) as url:
        answer = httpx.get(f"{url}/v1/whoami").json()
    assert (answer["asn"], answer["country"]) == (64999, "")


def test_without_a_table_whoami_names_the_setting(store):
    """The answer is 503 and names the option to set."""
    app = create_app(store, {}, health=lab_country.health, prefixes=None)
    with serving(app) as url:
        answered = httpx.get(f"{url}/v1/whoami")
    assert answered.status_code == 503
    assert "--prefixes" in answered.json()["detail"]


def test_health_is_an_http_status(api, health):
    """A failure that the aggregator reports is answered with 503."""
    assert api.get("/healthz").status_code == 200
    health.update(ok=False, nats="not connected")
    unwell = api.get("/healthz")
    health.clear()
    assert unwell.status_code == 503
    assert unwell.json()["nats"] == "not connected"


def test_metrics_are_in_prometheus_format(api):
    """The media type and the names of the metrics are those that Prometheus reads."""
    answered = api.get("/metrics")
    assert answered.headers["Content-Type"].startswith("text/plain")
    assert "# HELP blockonset_" in answered.text


def test_requests_are_counted_by_route_and_never_by_what_was_asked_for(api):
    """A label holds a route's template."""
    api.get(f"{BASE}/providers/nobody", params={"as_of": "2026-01-01T00:00:00Z"})
    api.get("/v1/198.51.100.7")
    text = api.get("/metrics").text
    route = 'path="/v1/watches/{watch}/providers/{provider}"'
    counted = [
        line for line in text.splitlines() if line.startswith("blockonset_http_requests_total{") and route in line
    ]
    assert any('status_code="404"' in line for line in counted)
    assert "nobody" not in text
    assert "198.51.100" not in text


def test_every_metric_is_documented(api):
    """In docs/api.md, with its type, and nothing else is."""
    api.get("/v1/watches")
    documented = set(re.findall(r"^\| `(blockonset_\w+)` \| (\w+) \|", Path("docs/api.md").read_text(), re.MULTILINE))
    served = re.findall(r"^# TYPE (blockonset_\w+) (\w+)$", api.get("/metrics").text, re.MULTILINE)
    served = {(name, kind) for name, kind in served if not name.endswith("_created")}
    assert served | {("blockonset_http_requests_error_total", "counter")} == documented


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        ("/nothing", 404, "no such path"),
        ("/", 404, "no such path"),
        ("/v1/watches/nowhere/onsets", 404, "no watch 'nowhere'"),
        (f"{BASE}/providers/nobody", 404, "no provider 'nobody'"),
        (f"{BASE}/providers/nobody/series", 404, "no provider 'nobody'"),
        (f"{BASE}/measurements/{'0' * 32}", 404, "no measurement and no run"),
        (f"{BASE}/measurements/'; DROP TABLE onsets", 400, "measurement"),
        (f"/v1/segments/{'0' * 32}/raw", 404, "is stored here"),
        ("/v1/rule-sets/1999-01", 404, f"known are {lab_country.RULES}"),
        ("/v1/rule-sets/..%2F..%2Fapi", 404, ""),
        (f"{BASE}/onsets?as_of=yesterday", 400, "as_of"),
        (f"{BASE}/onsets?as_of=2026-05-01T10:00:00", 400, "time zone"),
        (f"{BASE}/onsets?as_of=2026-05-01T10:00:00+07:00", 400, "%2B"),
        (f"{BASE}/providers/hobsquay-mobile/series?limit=0", 400, "limit"),
        (f"{BASE}/providers/hobsquay-mobile/series?limit=999999", 400, "limit"),
        (f"{BASE}/providers/hobsquay-mobile/series?bin=0", 400, "bin: "),
        (f"{BASE}/providers/hobsquay-mobile/series?surface=radio", 400, "this watch has app and web"),
        (f"{BASE}/providers/hobsquay-mobile/series?cursor=garbage", 400, "cursor"),
        (f"{BASE}/providers/hobsquay-mobile?cursor=WzEsMl0", 400, "cursor"),
        (f"{BASE}/providers/hobsquay-mobile/series?end=notatime", 400, "end"),
    ],
)
def test_every_refusal_is_a_problem_that_names_the_thing(api, path, status, expected):
    """Each error is a problem detail (RFC 9457) that names what was wrong."""
    answered = api.get(path)
    assert answered.status_code == status
    assert answered.headers["Content-Type"] == "application/problem+json"
    problem = answered.json()
    assert problem["status"] == status
    assert expected in problem["detail"]
    assert problem["instance"] == answered.request.url.path


def test_a_bug_or_a_failing_store_shows_no_details():
    """A bug is answered with 500, a failure of the store with 503, and neither shows the error's text."""
    from aggregator.store.store import StoreError

    class Broken:
        def __init__(self, error):
            self.error = error

        def read(self, _name, **_parameters):
            raise self.error

    for error, status in ((RuntimeError("secret"), 500), (StoreError("secret"), 503)):
        with serving(create_app(Broken(error), {WATCH.id: WATCH}, health=lab_country.health, prefixes=None)) as url:
            answered = httpx.get(f"{url}{BASE}/onsets")
        assert (answered.status_code, answered.json()["status"]) == (status, status)
        assert "secret" not in answered.text


def test_the_document_describes_what_is_answered(api):
    """Every path has a description and its problems; the manual lists all paths and loads nothing from another host."""
    document = api.get("/openapi.json").json()
    assert set(document["paths"]) > {"/v1/watches", f"{BASE.replace('ostramere', '{watch}')}/onsets"}
    manual = api.get("/docs")
    for path, operations in document["paths"].items():
        assert operations["get"]["description"], path
        assert path in manual.text
    problem = document["paths"]["/v1/watches/{watch}/onsets"]["get"]["responses"]["404"]["content"]
    assert "application/problem+json" in problem
    assert "<script" not in manual.text
    assert re.findall(r'(?:src|href)="(?:https?:)?//', manual.text) == []
    assert "default-src 'none'" in manual.headers["Content-Security-Policy"]


DOCUMENTED = {
    "/v1/watches": ("listWatches", "watches", {200, 304}),
    "/v1/watches/{watch}/onsets": ("getOnsets", "answers", {200, 304, 400, 404, 503}),
    "/v1/watches/{watch}/providers/{provider}": ("getProvider", "answers", {200, 304, 400, 404, 503}),
    "/v1/watches/{watch}/providers/{provider}/series": ("getSeries", "evidence", {200, 304, 400, 404, 503}),
    "/v1/watches/{watch}/measurements/{measurement}": ("getMeasurements", "evidence", {200, 304, 400, 404, 503}),
    "/v1/segments/{segment_id}/raw": ("getSegment", "evidence", {200, 304, 400, 404, 503}),
    "/v1/rule-sets/{version}": ("getRuleSet", "rules", {200, 304, 400, 404}),
    "/v1/whoami": ("getNetwork", "operation", {200, 503}),
    "/healthz": ("getHealth", "operation", {200, 503}),
    "/metrics": ("getMetrics", "operation", {200}),
}
"""Of each route in the OpenAPI document: the operation's id and tag, and the statuses that it may answer with."""


def test_operations_have_stable_names_and_all_their_answers(api):
    """Ids, tags and statuses; every failure is a problem detail, except that of the health, which has its own shape."""
    document = api.get("/openapi.json").json()
    found = {}
    for path, item in document["paths"].items():
        assert list(item) == ["get"]
        operation = item["get"]
        (tag,) = operation["tags"]
        found[path] = (operation["operationId"], tag, {int(status) for status in operation["responses"]})
        assert operation["summary"]
        for status, response in operation["responses"].items():
            shapes = {m: c["schema"]["$ref"] for m, c in response.get("content", {}).items() if int(status) > 304}
            health, problem = "#/components/schemas/Health", "#/components/schemas/Problem"
            expected = {"application/json": health} if path == "/healthz" else {"application/problem+json": problem}
            assert shapes == (expected if int(status) > 304 else {})
        assert ("304" in operation["responses"]) == ("ETag" in operation["responses"]["200"]["headers"])
    assert found == DOCUMENTED
    assert {tag["name"] for tag in document["tags"]} == {tag for _, tag, _ in DOCUMENTED.values()}
    assert all(tag["description"] for tag in document["tags"])


def test_the_document_says_what_it_is(api):
    """Its licence, contact, version and purpose; and its paths are relative to the host that served it."""
    document = api.get("/openapi.json").json()
    info = document["info"]
    assert info["license"] == {"name": "Apache-2.0", "identifier": "Apache-2.0"}
    assert info["contact"] == {"name": "The Blockonset developers"}
    assert info["version"] == importlib.metadata.version("blockonset")
    assert info["summary"] in api.get("/docs").text
    assert document["servers"] == [{"url": "/"}]


def test_answers_are_cached_as_documented(api, paths):
    """Each has an ETag, with which it is not sent again, or may not be kept at all; docs/api.md lists which."""
    (rows,) = (t for t in doc_pages.tables(doc_pages.text("api.md")) if "caching" in t[0])
    documented = {doc_pages.code(r["route"])[0]: r["caching"] for r in rows}
    assert documented.keys() == paths.keys()
    for route, path in paths.items():
        answered = api.get(path)
        tag, control = answered.headers.get("ETag"), answered.headers["Cache-Control"]
        expected = {"": "no-store", "ETag": "no-cache", "ETag, for ever": "max-age=31536000, immutable"}
        assert control == expected[documented[route]], route
        assert (tag is not None) == documented[route].startswith("ETag")
        again = api.get(path, headers={"If-None-Match": tag or '"none"'})
        assert again.status_code == (304 if tag else 200)
        if tag:
            assert (again.content, again.headers["ETag"], again.headers["Cache-Control"]) == (b"", tag, control)
            other = [("If-None-Match", '"other"'), ("If-None-Match", tag)]
            assert api.get(path, headers=other).status_code == 304
            assert api.get(path, headers={"If-None-Match": '"other"'}).content == answered.content


def test_the_watches_have_another_etag_once_one_is_added(store):
    """The answer is not taken for unchanged."""
    tags = set()
    for watches in ({}, {WATCH.id: WATCH}):
        app = create_app(store, watches, health=lab_country.health, prefixes=None)
        with serving(app) as url:
            tags.add(httpx.get(f"{url}/v1/watches").headers["ETag"])
    assert len(tags) == 2


def test_no_answer_holds_an_object_without_a_shape(api):
    """Every schema in the OpenAPI document says what an object holds."""
    document = api.get("/openapi.json").json()
    assert list(shapeless(document, "")) == []
    wrong = {"a": [{"type": "object", "additionalProperties": {}}], "b": {"schema": {}}, "c": {"oneOf": [{}]}}
    assert list(shapeless(wrong, "")) == [
        "/a/0", "/b/schema", "/c/oneOf/0",
    ]  # fmt: skip


def shapeless(part, path):
    """The places in a document where a schema allows anything."""
    if isinstance(part, list):
        for n, one in enumerate(part):
            if one == {}:
                yield f"{path}/{n}"
            yield from shapeless(one, f"{path}/{n}")
    if not isinstance(part, dict):
        return
    rest = part.get("additionalProperties")
    if rest in ({}, True) or (part.get("type") == "object" and not part.get("properties") and not rest):
        yield path
    for name, one in part.items():
        if one == {} and name in {"schema", "items"}:
            yield f"{path}/{name}"
        yield from shapeless(one, f"{path}/{name}")


def test_no_caller_is_logged(api, capfd):
    """The caller's address is in no log."""
    api.get(f"{BASE}/onsets")
    api.get("/nothing")
    out = capfd.readouterr()
    assert "127.0.0.1" not in out.out + out.err

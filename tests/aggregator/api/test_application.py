"""The methods of the API: GET, HEAD and OPTIONS on every path, and no others."""

import re

import pytest

from tests.support.empty_api import empty_api

UNKNOWN = ("/", "/nothing", "/v1", "/v1/watches/nowhere", "/docs/openapi", "/docs/openapi/openapi.json")


def test_the_paths_of_these_tests_are_all_that_there_are(api, paths):
    """Each route is asked once, with a path that it answers."""
    assert sorted(paths) == sorted(re.sub(r":\w+}", "}", route.path) for route in empty_api().routes)
    for path in paths.values():
        assert api.get(path).status_code == 200, path


def test_options_names_the_methods(api, paths):
    """With 204 and without a body. No other origin is granted anything."""
    origin = {"Origin": "http://elsewhere.example", "Access-Control-Request-Method": "GET"}
    for path in paths.values():
        answered = api.options(path, headers=origin)
        assert (answered.status_code, answered.content) == (204, b""), path
        assert answered.headers["Allow"] == "GET, HEAD, OPTIONS"
        granted = [*answered.headers, *api.get(path, headers=origin).headers]
        assert [name for name in granted if name.startswith("access-control")] == []


def test_head_is_answered_as_get_is(api, paths):
    """The same status and headers, those of its length and version included, and no body."""
    for path in paths.values():
        got, head = api.get(path), api.head(path)
        assert (head.status_code, head.content) == (got.status_code, b""), path
        changing = {"date"} | ({"content-length"} if path in {"/healthz", "/metrics"} else set())
        assert {n: v for n, v in head.headers.items() if n not in changing} == {
            n: v for n, v in got.headers.items() if n not in changing
        }
        assert int(head.headers["Content-Length"]) > 0


def test_head_is_conditional_too(api):
    """With the ETag of an answer it gets 304, as GET does."""
    tag = api.head("/v1/watches").headers["ETag"]
    answered = api.head("/v1/watches", headers={"If-None-Match": tag})
    assert (answered.status_code, answered.headers["ETag"]) == (304, tag)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "A" * 5000])
def test_other_methods_are_refused(api, paths, method):
    """With 405, the methods that there are, and a problem."""
    for path in paths.values():
        answered = api.request(method, path)
        assert (answered.status_code, answered.headers["Allow"]) == (405, "GET, HEAD, OPTIONS"), path
        assert answered.headers["Content-Type"] == "application/problem+json"
        assert answered.json()["detail"].startswith(method[:20])
        assert len(answered.content) < 1000


@pytest.mark.parametrize("path", UNKNOWN)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
def test_an_unknown_path_is_a_problem(api, method, path):
    """Whatever the method is. None of the framework's own pages are there."""
    answered = api.request(method, path)
    assert (answered.status_code, answered.headers["Content-Type"]) == (404, "application/problem+json")
    assert method == "HEAD" or "/docs" in answered.json()["detail"]

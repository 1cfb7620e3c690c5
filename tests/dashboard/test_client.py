"""The API's client, while the API works and while it fails."""

import json

import pytest

from dashboard.client import ApiDown, Client, NotThere
from dashboard.shapes import OnsetsView
from tests.support.asgi_server import serving


def body(headline):
    """An answer of the API, with a field that the pages don't read."""
    return {"as_of": None, "headline": headline, "providers": [], "unread": 1}


def answer(headline):
    """The same answer as the client gives it."""
    return OnsetsView(as_of=None, headline=headline, providers=())


class ChangingApi:
    """An API whose answer a test can set, and which records its requests."""

    def __init__(self):
        self.status, self.body, self.etag, self.requests = 200, body("one"), "one", []

    async def __call__(self, scope, _receive, send):
        """Answer one request."""
        if scope["type"] != "http":
            return
        sent = dict(scope["headers"]).get(b"if-none-match", b"").decode()
        self.requests.append((scope["raw_path"].decode(), sent))
        status = 304 if self.status == 200 and sent == self.etag else self.status
        headers = [(b"content-type", b"application/json"), (b"etag", self.etag.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if status == 304 else json.dumps(self.body).encode()})


@pytest.fixture
def changing_api():
    """An API whose answer the test sets."""
    return ChangingApi()


@pytest.fixture
def client(changing_api):
    """Its client."""
    with serving(changing_api) as url:
        yield Client(url)


def test_an_unchanged_answer_is_not_sent_again(client, changing_api):
    """The second request has the first answer's ETag, and returns the same value."""
    first, second = client.onsets("w"), client.onsets("w")
    assert first.value == second.value == answer("one")
    assert changing_api.requests[1][1] == "one"
    assert second.at >= first.at
    changing_api.etag, changing_api.body = "two", body("two")
    assert client.onsets("w").value == answer("two")


def test_while_the_api_fails_the_last_good_answer_is_given_as_stale(client, changing_api):
    """`stale` has the reason."""
    client.onsets("w")
    changing_api.status, changing_api.body = 503, {"detail": "the store did not answer"}
    old = client.onsets("w")
    assert old.value == answer("one")
    assert "503: the store did not answer" in old.stale
    changing_api.status, changing_api.body, changing_api.etag = 200, body("three"), "three"
    assert client.onsets("w").stale == ""


def test_an_answer_of_another_shape_is_an_error(client, changing_api):
    """A missing field means that the dashboard can't read this API's answers."""
    changing_api.body = {"as_of": None}
    with pytest.raises(ApiDown, match="headline"):
        client.onsets("w")


def test_a_failure_without_an_earlier_answer_is_an_error(client, changing_api):
    """The error has the reason."""
    changing_api.status, changing_api.body = 500, ["no object"]
    with pytest.raises(ApiDown, match="500"):
        client.onsets("w")


def test_a_closed_port_is_an_error():
    """It means that the API is down; the health report is then None."""
    with pytest.raises(ApiDown, match="does not answer"):
        Client("http://127.0.0.1:9").watches()
    assert Client("http://127.0.0.1:9").health() is None


def test_an_unknown_resource_is_an_error_with_the_apis_message(client, changing_api):
    """An unknown watch isn't a failure of the API."""
    changing_api.status, changing_api.body = 404, {"detail": "no watch 'x' here"}
    with pytest.raises(NotThere, match="no watch 'x' here"):
        client.onsets("x")


def test_a_name_cannot_change_the_path_of_a_request(client, changing_api):
    """A name in a page's address is escaped in the API's path."""
    client.onsets("../segments")
    assert changing_api.requests == [("/v1/watches/..%2Fsegments/onsets", "")]


def test_the_cache_is_bounded(client, changing_api):
    """A page that is open for hours doesn't fill the memory."""
    for n in range(300):
        client.onsets(f"w{n}")
    assert len(client._cache) == 256
    client.onsets("w0")
    assert changing_api.requests[-1][1] == ""

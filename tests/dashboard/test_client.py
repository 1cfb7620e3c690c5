"""The API's client in good and in bad times."""

import json

import pytest

from dashboard.client import ApiDown, Client, NotThere
from tests.support.asgi_server import serving


class Fickle:
    """An API that answers as it is told to, and remembers what it was asked."""

    def __init__(self):
        self.status, self.body, self.etag, self.asked = 200, {"items": [1]}, "one", []

    async def __call__(self, scope, _receive, send):
        """Answer one request."""
        if scope["type"] != "http":
            return
        sent = dict(scope["headers"]).get(b"if-none-match", b"").decode()
        self.asked.append((scope["raw_path"].decode(), sent))
        status = 304 if self.status == 200 and sent == self.etag else self.status
        headers = [(b"content-type", b"application/json"), (b"etag", self.etag.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if status == 304 else json.dumps(self.body).encode()})


@pytest.fixture
def fickle():
    """An API under the test's thumb."""
    return Fickle()


@pytest.fixture
def client(fickle):
    """Its client."""
    with serving(fickle) as url:
        yield Client(url)


def test_what_has_not_changed_is_not_sent_again(client, fickle):
    """The second question carries the first answer's tag, and gets the same value."""
    first, second = client.watches(), client.watches()
    assert first.value == second.value == {"items": [1]}
    assert fickle.asked[1][1] == "one"
    assert second.at >= first.at
    fickle.etag, fickle.body = "two", {"items": [2]}
    assert client.watches().value == {"items": [2]}


def test_a_failure_gives_the_last_good_answer_and_says_so(client, fickle):
    """A page keeps what was known, marked stale."""
    client.watches()
    fickle.status, fickle.body = 503, {"detail": "the store did not answer"}
    old = client.watches()
    assert old.value == {"items": [1]}
    assert "503: the store did not answer" in old.stale
    fickle.status, fickle.body, fickle.etag = 200, {"items": [3]}, "three"
    assert client.watches().stale == ""


def test_a_failure_with_nothing_known_is_told(client, fickle):
    """There is nothing to show, and the reason is given."""
    fickle.status, fickle.body = 500, ["no object"]
    with pytest.raises(ApiDown, match="500"):
        client.watches()


def test_nobody_there_is_told():
    """A closed port is an API that is down, not a crash."""
    with pytest.raises(ApiDown, match="does not answer"):
        Client("http://127.0.0.1:9").watches()
    assert Client("http://127.0.0.1:9").health() == {}


def test_what_is_not_there_is_told_in_the_api_s_words(client, fickle):
    """A wrong name in the address isn't an outage."""
    fickle.status, fickle.body = 404, {"detail": "no watch 'x' here"}
    with pytest.raises(NotThere, match="no watch 'x' here"):
        client.onsets("x")


def test_names_can_not_leave_their_place_in_the_path(client, fickle):
    """What stands in a page's address is no path of the API."""
    client.onsets("../segments")
    assert fickle.asked == [("/v1/watches/..%2Fsegments/onsets", "")]


def test_what_is_kept_is_bounded(client, fickle):
    """An hour of windows that move on doesn't fill the memory."""
    for n in range(300):
        client.series("w", "p", {"start": n})
    assert len(client._kept) == 256
    client.series("w", "p", {"start": 0})
    assert fickle.asked[-1][1] == ""

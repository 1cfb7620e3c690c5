"""The HTTP server under the API: what is odd or no HTTP at all is answered with a problem, and never with a bug."""

import base64
import json
import logging
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

BASE = "/v1/watches/ostramere"
PROVIDER = f"{BASE}/providers/hobsquay-mobile"
UNPARSED = "not a valid HTTP request"


@pytest.fixture(autouse=True)
def _no_bug_is_logged(caplog, capfd):
    """Fails a test during which the server or a route logged an error or a traceback."""
    yield
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []
    out = capfd.readouterr()
    assert "Traceback" not in out.out + out.err + caplog.text
    assert "because of a bug" not in out.out + out.err


def exchange(api, *parts):
    """Send bytes on one connection, each part once an answer to the one before has begun. Gives all that came back."""
    got = b""
    with socket.create_connection((api.base_url.host, api.base_url.port), timeout=10) as connection:
        for n, part in enumerate(parts):
            if n:
                got += connection.recv(65536)
            connection.sendall(part)
        try:
            while more := connection.recv(65536):
                got += more
        except ConnectionResetError:  # the server closed before it had read everything
            pass
    return got


def ask(api, target, *, method="GET", version="1.1", headers=()):
    """The status, the headers and the body of the answer to a request that is sent as it is given."""
    lines = [f"{method} {target} HTTP/{version}", "Host: here", "Connection: close", *headers, "", ""]
    return parsed(exchange(api, "\r\n".join(lines).encode("latin-1")))


def parsed(answer):
    """An answer's status, headers by lower-case name, and body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return int(first.split(" ")[1]), {n.lower(): v for n, v in (line.split(": ", 1) for line in lines)}, body


def cursor(key):
    """A cursor of one's own making."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def assert_problem(answered, *statuses):
    """The answer is a problem with one of these statuses."""
    status, headers, body = answered
    assert status in statuses
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(body)["status"] == status


@pytest.mark.parametrize(
    "target",
    [
        "/v1/watches/%00/onsets",
        "/v1/watches/%FF%FE/onsets",
        "/v1/watches/%zz/onsets",
        "/v1/watches/%/onsets",
        "/v1/watches/%ED%A0%80/onsets",
        "/v1/watches/../../etc/passwd",
        "/v1/watches/..%2f..%2f/onsets",
        "/v1/rule-sets/%00",
        "/v1/rule-sets/..%2F..%2Fapi",
        "/v1/watches/" + "a" * 30_000,
        "*",
    ],
)
def test_odd_paths_are_not_found(api, target):
    """Percent-encodings of no text, steps upwards, NUL, a path of 30 KB."""
    assert_problem(ask(api, target), 404)


@pytest.mark.parametrize("target", ["/v1/segments/%00/raw", "/v1/segments/../raw", f"{BASE}/measurements/%0A"])
def test_an_id_in_another_form_is_refused(api, target):
    """The ids of segments and measurements are 32 hexadecimal digits."""
    assert_problem(ask(api, target), 400)


@pytest.mark.parametrize(
    "query",
    [
        "as_of=%FF",
        "as_of=%00",
        "as_of",
        "as_of=" + "9" * 5000,
        "as_of=2026-02-30T00:00:00Z",
        "as_of=1e400",
        "limit=1e9",
        "limit=1.5",
        "limit=nan",
        "limit=%00",
        "bin=nan",
        "bin=inf",
        "bin=-0",
        "surface=%00",
        "surface=",
        "cursor=%00",
        "cursor=%F0%9F%98%80",
        "cursor=" + "A" * 30_000,
        "cursor=" + base64.urlsafe_b64encode(b"[" * 20_000).decode(),
        "cursor=" + cursor([True, "a"]),
        "cursor=" + cursor([1, "\ud800"]),
        "cursor=" + cursor([1.5, "a"]),
    ],
)
def test_a_wrong_parameter_is_named(api, query):
    """And the answer is 400."""
    answered = ask(api, f"{PROVIDER}/series?{query}")
    assert_problem(answered, 400)
    assert json.loads(answered[2])["detail"].startswith(query.partition("=")[0] + ":")


@pytest.mark.parametrize(
    "query",
    [
        "as_of=9999-12-31T23:59:59.999-23:59",
        "as_of=0001-01-01T00:00:00%2B23:59",
        "start=9999-12-31T23:59:59Z&end=0001-01-01T00:00:00Z",
        "start=1969-12-31T23:59:59Z",
        "&&&===",
        "a=1&" * 5000,
        "surface=app&surface=web",
        "cursor=" + cursor([10**30, "x"]),
        "cursor=" + cursor([-(10**30), "x"]),
        "cursor=" + cursor([1, "'; DROP TABLE onsets"]),
        "cursor=" + cursor([1, "\0\\N\t\n"]),
        "bin=10&cursor=" + cursor([2**70, "", "", ""]),
    ],
)
def test_an_extreme_parameter_is_answered(api, query):
    """Times at the ends of the calendar, numbers beyond 64 bits, text with special characters."""
    status, headers, body = ask(api, f"{PROVIDER}/series?{query}")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body)["provider"] == "hobsquay-mobile"


@pytest.mark.parametrize(
    "accept", ["text/html", "application/xml", "*/*;q=0", "garbage;;;", "image/*, " + "a" * 5000, "ÿ"]
)
def test_the_media_type_does_not_depend_on_accept(api, accept):
    """Each route has one media type, and errors have theirs."""
    assert ask(api, "/v1/watches", headers=[f"Accept: {accept}"])[1]["content-type"] == "application/json"
    assert_problem(ask(api, "/nothing", headers=[f"Accept: {accept}"]), 404)


@pytest.mark.parametrize(
    "headers",
    [
        ["If-None-Match: ÿþ", "Cookie: ÿ=ÿ; a", "Content-Type: ÿ"],
        ["Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"],
        ["Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"],
        ["Content-Length: 0", "Expect: 100-continue"],
    ],
)
def test_other_headers_change_nothing(api, headers):
    """Bytes that are no text, another protocol that is wished for, a body that is announced."""
    lines = ["GET /v1/watches HTTP/1.1", "Host: here", "Connection: Upgrade, close", *headers, "", ""]
    status, _, body = parsed(exchange(api, "\r\n".join(lines).encode("latin-1")))
    assert (status, len(json.loads(body)["items"])) == (200, 1)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_http_1_0_is_answered(api, method):
    """And the connection closed."""
    status, _, body = parsed(exchange(api, f"{method} /v1/watches HTTP/1.0\r\n\r\n".encode()))
    assert status == (204 if method == "OPTIONS" else 200)
    assert bool(body) == (method == "GET")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
        b"GET /v1/watches HTTP/1.1\r\n\r\n",
        b"GET /v1/watches HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /v1/\xc3\x9f HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /v1/\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /v1/watches HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n",
        b"GET /?" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
    ids=["tls", "no host", "two hosts", "not ascii", "nul", "no length", "chunks", "too long"],
)
def test_what_cannot_be_parsed_is_a_problem(api, sent):
    """With status 400, and the connection is closed."""
    answer = exchange(api, sent)
    if answer:  # where the server closes with bytes unread, the answer may be lost with them
        assert_problem(parsed(answer), 400)
        assert UNPARSED in json.loads(parsed(answer)[2])["detail"]
    assert answer or len(sent) > 100_000


def test_a_wrong_name_of_the_host_is_a_problem(api):
    """One that can't be a host's name."""
    assert_problem(parsed(exchange(api, b"GET /docs HTTP/1.1\r\nHost: a b/..\r\nConnection: close\r\n\r\n")), 400)


def test_garbage_after_a_request_ends_the_connection(api):
    """After a whole request it is a problem of its own; within the body of an answered request nothing more is sent."""
    request = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"
    both = exchange(api, request + b"\r\n\x00\x01\r\n\r\n")
    assert both.startswith(b"HTTP/1.1 200")
    assert both.count(b"HTTP/1.1 400") == both.count(UNPARSED.encode()) == 1
    one = exchange(api, request + b"Transfer-Encoding: chunked\r\n\r\n", b"no length\r\n")
    assert one.startswith(b"HTTP/1.1 200")
    assert one.count(b"HTTP/1.1") == 1


def test_many_at_once_are_all_answered(api, paths):
    """All routes ten times over, by many clients together, with the other methods between."""
    asked = [(m, p) for p in paths.values() for m in ("GET", "HEAD", "OPTIONS", "POST")] * 10
    with ThreadPoolExecutor(24) as pool:
        statuses = list(pool.map(lambda a: ask(api, a[1], method=a[0])[0], asked))
    assert [a for a, status in zip(asked, statuses, strict=True) if status != EXPECTED[a[0]]] == []


EXPECTED = {"GET": 200, "HEAD": 200, "OPTIONS": 204, "POST": 405}

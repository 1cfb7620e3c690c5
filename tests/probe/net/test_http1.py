"""Reading an HTTP answer that comes in pieces, and may come from anybody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.net import http1
from probe.net.failures import ProtocolFailure


def test_a_request_is_as_plain_as_it_can_be():
    """Nothing in it tells of the volunteer."""
    assert http1.request("GET /", "service.example") == (
        b"GET / HTTP/1.1\r\nHost: service.example\r\n"
        b"User-Agent: Mozilla/5.0\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("raw", "body", "complete"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", b"hello", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", b"hel", False),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"until the end", False),
        (b"HTTP/1.1 204 No\r\n\r\n", b"", True),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5;x=y\r\nhello\r\n3\r\n wo\r\n0\r\n\r\n",
            b"hello wo",
            True,
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", b"hel", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\nx", b"x", False),
    ],
)
def test_bodies(raw, body, complete):
    """By length, by chunks, or up to the end."""
    response = http1.parse(raw)
    assert (response.body, response.complete) == (body, complete)


@pytest.mark.parametrize("raw", [b"", b"HT", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nA: b\r\n"])
def test_a_head_that_is_not_all_there_is_waited_for(raw):
    """Nothing can be said yet."""
    assert http1.parse(raw) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0",
        b"\x15\x03",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 abc x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A" * 20_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_http_is_a_failed_request(raw):
    """By OONI's name."""
    with pytest.raises(ProtocolFailure, match="http_request_failed"):
        http1.parse(raw)


@given(st.binary(max_size=300))
def test_no_answer_makes_it_break(tail):
    """Whatever follows a status line, it is read or refused."""
    for raw in (tail, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + tail, b"HTTP/1.1 200 OK\r\n" + tail):
        try:
            response = http1.parse(raw)
        except ProtocolFailure:
            continue
        if response is not None:
            assert http1.facts(response)["length"] == len(response.body)


@pytest.mark.parametrize(
    ("location", "kept"),
    [
        ("https://a.example/path?who=me", "https://a.example"),
        ("https://me:secret@a.example:8443/", "https://a.example"),
        ("/relative", ""),
        ("http://[broken", ""),
        ("", ""),
    ],
)
def test_of_a_location_scheme_and_host_are_kept(location, kept):
    """No path, no query, no credentials."""
    raw = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n".encode()
    assert http1.facts(http1.parse(raw))["location"] == kept

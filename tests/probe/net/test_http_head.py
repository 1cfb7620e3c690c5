"""The head of an answer that comes in pieces, and may come from anybody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.net.failures import ProtocolFailure
from probe.net.http_head import LARGEST_HEAD, ResponseHead

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("raw", "handed_on"),
    [
        (OK + b"A: b\r\n\r\nbody", b"HTTP/1.1 200 -\r\nA: b\r\n\r\nbody"),
        (b"HTTP/1.0 200\r\n\r\nbody", b"HTTP/1.0 200 -\r\n\r\nbody"),
        (b"HTTP/2.0 200 OK\r\n\r\nbody", b"HTTP/1.1 200 -\r\n\r\nbody"),
        (b"HTTP/1 200 OK\r\n\r\nbody", b"HTTP/1.0 200 -\r\n\r\nbody"),
        (b"HTTP 451 Unavailable\r\n\r\n", b"HTTP/1.0 451 -\r\n\r\n"),
        (b"HTTP/1.1\t403\r\n\r\n", b"HTTP/1.1 403 -\r\n\r\n"),
        (b"\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 -\r\n\r\n"),
        (b"http/1.1 403 No\n\nbody", b"HTTP/1.1 403 -\r\n\r\nbody"),
        (b"HTTP/1.1 200 OK\nA: b\n\nbody\nmore", b"HTTP/1.1 200 -\r\nA: b\r\n\r\nbody\nmore"),
        (b"HTTP/1.1 999 \xff\r\n\r\n", b"HTTP/1.1 999 -\r\n\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"\r\nx", b"HTTP/1.1 200 -\r\n\r\nx"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK + b"\r\nx", b"HTTP/1.1 200 -\r\n\r\nx"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n", b"HTTP/1.1 101 -\r\nUpgrade: websocket\r\n\r\n"),
        (OK + b"Server : x\r\nno colon\r\nb@d name: y\r\n\r\n", b"HTTP/1.1 200 -\r\nServer: x\r\n\r\n"),
        (OK + b"A: b\r\n  folded\r\n\r\n", b"HTTP/1.1 200 -\r\nA: b folded\r\n\r\n"),
        (OK + b"A: \0b\x07\r\n\r\n", b"HTTP/1.1 200 -\r\nA: b\r\n\r\n"),
        (OK + b"Set-Cookie: id=198.51.100.1\r\n\r\n", b"HTTP/1.1 200 -\r\n\r\n"),
        (OK + b"Content-Length: 2, 2\r\n\r\nab", b"HTTP/1.1 200 -\r\nContent-Length: 2\r\n\r\nab"),
        (OK + b"Content-Length: 2\r\nContent-Length: 9\r\n\r\nab", b"HTTP/1.1 200 -\r\nContent-Length: 2\r\n\r\nab"),
        (OK + b"Content-Length: \xb2\r\n\r\nx", b"HTTP/1.1 200 -\r\n\r\nx"),
        (OK + b"Content-Length: -1\r\n\r\nx", b"HTTP/1.1 200 -\r\n\r\nx"),
        (
            OK + b"Content-Length: 2\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n",
            b"HTTP/1.1 200 -\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
    ],
)
def test_a_head_is_read_as_browsers_read_it(raw, handed_on):
    """In one piece or byte by byte, a parser gets the same."""
    assert b"".join(ResponseHead().feed(raw)) == handed_on
    slow = ResponseHead()
    assert b"".join(b"".join(slow.feed(raw[i : i + 1])) for i in range(len(raw))) == handed_on
    assert raw[slow.size :] == handed_on.partition(b"\r\n\r\n")[2]


def test_long_values_and_many_fields_are_cut_to_what_a_parser_takes():
    """A line of more than 8,190 bytes and more than 128 fields are refused by aiohttp."""
    handed_on, _ = ResponseHead().feed(OK + b"A: " + b"x" * 12_000 + b"\r\n\r\n")
    assert len(handed_on) < 5000
    handed_on, _ = ResponseHead().feed(OK + b"A: b\r\n" * 500 + b"\r\n")
    assert handed_on.count(b"A: b") == 100


def test_of_repeated_fields_the_first_counts():
    """Names are in lower case."""
    head = ResponseHead()
    head.feed(OK + b"Location: http://a.example\r\nLOCATION: http://b.example\r\n\r\n")
    assert (head.status, head.fields) == (200, {"location": "http://a.example"})


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"HT", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nA: b\r\n"])
def test_a_head_that_is_not_all_there_is_waited_for(raw):
    """Nothing is known yet."""
    head = ResponseHead()
    assert (head.feed(raw), head.status) == ((b"", b""), None)


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0",
        b"\x15\x03",
        b"<html>",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 abc x\r\n\r\n",
        b"HTTP/1.1 2000 x\r\n\r\n",
        b"HTTPS 200 x\r\n\r\n",
        b"HTTP/1.1 \r\n\r\n",
        b"HTTP/" + b"9" * 5000 + b".1 200 x\r\n\r\n" + b"x" * LARGEST_HEAD,
        OK + b"A" * LARGEST_HEAD,
        OK + b"A" * LARGEST_HEAD + b"\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_failed_request(raw):
    """By OONI's name."""
    with pytest.raises(ProtocolFailure, match="http_request_failed"):
        ResponseHead().feed(raw)


@pytest.mark.parametrize(
    ("raw", "has_an_end"),
    [
        (OK + b"\r\n", False),
        (OK + b"Content-Length: x\r\n\r\n", False),
        (OK + b"Transfer-Encoding: identity\r\n\r\n", False),
        (OK + b"Content-Length: 0\r\n\r\n", True),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", True),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", True),
    ],
)
def test_it_is_known_whether_an_answer_ends_before_the_stream(raw, has_an_end):
    """By a length, by chunks, or because it has no body."""
    head = ResponseHead()
    head.feed(raw)
    assert head.ends_before_stream is has_an_end


@given(st.lists(st.binary(max_size=60), max_size=6), st.sampled_from([b"", b"HTTP/1.1 200", OK]))
def test_no_answer_makes_it_break(parts, beginning):
    """Whatever comes, it is read or refused; what is handed on begins with one well-formed head."""
    head = ResponseHead()
    try:
        handed_on = b"".join(b"".join(head.feed(part)) for part in (beginning, *parts))
    except ProtocolFailure:
        return
    if head.status is not None:
        lines = handed_on.partition(b"\r\n\r\n")[0].split(b"\r\n")
        assert lines[0].startswith(b"HTTP/1.")
        assert all(b":" in line and b"\n" not in line for line in lines[1:])

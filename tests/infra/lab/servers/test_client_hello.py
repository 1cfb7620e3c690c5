"""Reading the server name of a ClientHello."""

from __future__ import annotations

from infra.lab.servers.client_hello import server_name
from tests.infra.lab.servers.conftest import client_hello


def test_the_server_name_of_a_real_client_is_read():
    """OpenSSL's own ClientHello, with a name and without."""
    assert server_name(client_hello("web.papergull.example")) == "web.papergull.example"
    assert server_name(client_hello(None)) == ""


def test_an_incomplete_client_hello_has_no_name_yet():
    """Every prefix returns None; bytes that begin no ClientHello return "" at once."""
    whole = client_hello("web.papergull.example")
    assert {server_name(whole[:n]) for n in range(len(whole))} == {None}
    assert server_name(b"GET / HTTP/1.1\r\n") == ""


def test_a_damaged_client_hello_is_no_error():
    """Whatever follows the record's header, nothing is raised."""
    whole = client_hello("web.papergull.example")
    for cut in range(6, len(whole)):
        short = whole[:3] + (cut - 5).to_bytes(2, "big") + whole[5:cut]
        assert server_name(short) in ("", "web.papergull.example")

"""A real ClientHello."""

from __future__ import annotations

import ssl

import pytest


def client_hello(name: str | None) -> bytes:
    """The first bytes that a TLS client of this machine sends, with a server name or without one."""
    out = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    return out.read()

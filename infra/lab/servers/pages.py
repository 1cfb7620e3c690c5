"""Web pages that the lab and the benches share. The last two arguments of each are a request's host and path."""

from __future__ import annotations

from infra.lab.servers.responders import response

LARGE = "".join(f"{n:015d}\n" for n in range(6144))
"""A body of 96 KB: more than a probe transfers."""
_BLOCK_PAGE = """<!doctype html>
<html><head><title>Notice</title></head>
<body><h1>This site has been blocked by order of the Signals Office of Ostramere</h1></body></html>
"""
"""Probes recognize it by a row of `infra/lab/block_pages.csv`."""


def front_page(body: str, transfer: str, _host: str, path: str) -> bytes:
    """A site's page with this body, or LARGE at the path of the watch's transfers ("" for none)."""
    return response("200 OK", LARGE if transfer and path == transfer else body)


def block_page(_host: str, _path: str) -> bytes:
    """The censor's block page."""
    return response("451 Unavailable For Legal Reasons", _BLOCK_PAGE)


def redirect_to_https(host: str, path: str) -> bytes:
    """A redirect to the same page over HTTPS."""
    return response("301 Moved Permanently", "", f"Location: https://{host}{path}")

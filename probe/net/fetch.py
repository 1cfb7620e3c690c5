"""Fetches a document from the operator: a watch, the published answers, the network's number. No measurement."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, NamedTuple
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMES = ("https://", "http://")
_UNSENT = ("User-Agent", "Accept-Encoding")
"""Headers that aiohttp sends by default: the first tells which program runs here."""


class FetchError(Exception):
    """A document could not be fetched; the text says why."""


class Document(NamedTuple):
    """What a server answered with status 200."""

    body: bytes
    headers: Mapping[str, str]
    """The names' case does not matter."""
    peer: str
    """The IP address of the server, or of the proxy."""


async def fetch(url: str, *, timeout_s: float, largest: int, direct: bool = False) -> Document:
    """GET an http or https URL. The server's certificate must be valid by this machine's certificate authorities.

    With `direct` neither redirects nor the proxies of the environment are followed, as the answer is about the route.
    Raises FetchError for every failure, an answer of more than `largest` bytes and any status but 200 among them.
    """
    if not url.startswith(SCHEMES):
        raise FetchError(f"the URL must begin with one of {', '.join(SCHEMES)}")
    peers: list[str] = []

    def open_socket(address: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, name = address
        peers.append(str(name[0]))
        return socket.socket(family, kind, protocol)

    try:
        # One address after the other, so that the last socket is the connected one.
        connector = aiohttp.TCPConnector(socket_factory=open_socket, happy_eyeballs_delay=None, force_close=True)
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout, skip_auto_headers=_UNSENT) as session,
            session.get(url, allow_redirects=not direct, proxy=None if direct else _proxy(URL(url))) as response,
        ):
            if response.status != 200:
                raise FetchError(f"HTTP status {response.status}")
            body = bytearray()
            async for data in response.content.iter_any():
                body += data
                if len(body) > largest:
                    raise FetchError(f"the answer is larger than {largest} bytes")
            return Document(bytes(body), response.headers, peers[-1])
    except TimeoutError as e:
        raise FetchError(f"no complete answer within {timeout_s:g} s") from e
    except (aiohttp.ClientError, OSError, ValueError) as e:
        raise FetchError(str(e) or type(e).__name__) from e


def fetch_now(url: str, *, timeout_s: float, largest: int) -> Document:
    """`fetch` for programs without an event loop. Raises FetchError."""
    return asyncio.run(fetch(url, timeout_s=timeout_s, largest=largest))


def _proxy(url: URL) -> str | None:
    """The proxy that the environment names for a URL. Not by aiohttp's `trust_env`, which sends passwords of .netrc."""
    return None if not url.host or proxy_bypass(url.host) else getproxies().get(url.scheme)

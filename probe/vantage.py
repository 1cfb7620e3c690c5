"""Which network the probe is in, and how that is known."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
import structlog

from probe import route
from probe.addresses import is_bogon
from probe.errors import UserError
from probe.measurement import Vantage
from probe.scrub import own_address

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from probe.measurement import Path, Resolver
    from probe.prefixes import Table

log = structlog.get_logger()

_LARGEST_ANSWER = 4096
_WHY = {
    "vpn": "a VPN or another tunnel carries them: switch it off to measure, or pause the probe",
    "proxy": "this machine is set up to use a proxy (the variables http_proxy and the like)",
    "split": "a VPN or a second connection carries a part of them, and the line itself the rest",
    "changed": "the network changed while a run was under way",
}


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator's endpoint says of the connection it was asked over. It keeps no address."""

    asn: int
    country: str = ""


def configured(vantage: Vantage) -> Callable[[], Awaitable[Vantage]]:
    """A vantage that somebody has set: it is asked of nobody."""

    async def answer() -> Vantage:
        return vantage

    return answer


def by_table(where: Callable[[], Awaitable[Vantage]], table: Table) -> Callable[[], Awaitable[Vantage]]:
    """The vantage, with the network's number from a table where nothing else tells it.

    That needs an address of this machine that the internet sees, as IPv6 gives; behind IPv4's translation there is
    none. The address is looked up and forgotten.
    """

    async def answer() -> Vantage:
        vantage = await where()
        for family in (socket.AF_INET6, socket.AF_INET):
            address = own_address(family)
            found = table.find(address) if address and not is_bogon(address) and not vantage.asn else None
            if found:
                return msgspec.structs.replace(vantage, asn=found.asn, asn_how="table", country=found.country)
        return vantage

    return answer


def seen(before: Vantage, after: Vantage, road: route.Look, road_after: route.Look, resolver: Resolver) -> Vantage:
    """The vantage of a run from what was seen before and after it. Whoever runs the probe is told of a detour once."""
    path = route.between(road, road_after)
    _notice.path(path)
    changed = before != after or path == "changed"
    return msgspec.structs.replace(after, path=path, resolver=resolver, changed=changed)


class _Notice:
    """Says what keeps runs from counting when that begins, and when it ends: never which interface or address."""

    def __init__(self) -> None:
        self._said: Path = "direct"

    def path(self, path: Path) -> None:
        if path in {self._said, "unknown"}:
            return
        self._said = path
        if path == "direct":
            log.info("measuring over the line itself again")
        else:
            log.warning("these runs count for no provider", why=_WHY[path])


_notice = _Notice()


class Whoami:
    """Asks the operator's `GET /v1/whoami` which network the request came from.

    `base` holds what is not asked (role, access and line), and what is taken while nobody answers. A block may take
    the operator's endpoint too, just when the answer matters most: so an answer is remembered for a day, while this
    machine keeps its address on the same network. The address stays in memory and goes nowhere.
    Raises UserError when `url` is no http or https address.
    """

    def __init__(self, url: str, base: Vantage, *, timeout: float = 5.0, keep_s: float = 86400.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"whoami address {url!r}: must begin with http:// or https:// and name a host")
        self._host = parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._path = parts.path or "/v1/whoami"
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._base = base
        self._timeout = timeout
        self._keep_s = keep_s
        self._known: tuple[str, float, Seen] | None = None

    async def __call__(self) -> Vantage:
        """The vantage now. When nobody answers and nothing is remembered, `base` as it is."""
        source, seen = await asyncio.to_thread(self._ask)
        now = time.monotonic()
        if seen is not None:
            self._known = (source, now, seen)
        elif self._known is not None and self._known[0] == source and now - self._known[1] < self._keep_s:
            seen = self._known[2]
        if seen is None:
            return self._base
        return msgspec.structs.replace(self._base, asn=seen.asn, asn_how="whoami", country=seen.country)

    def _ask(self) -> tuple[str, Seen | None]:
        """This machine's address towards the endpoint, and what the endpoint says or None."""
        if self._tls:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout, context=self._tls
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            connection.request("GET", self._path, headers={"Accept": "application/json"})
            response = connection.getresponse()
            raw = response.read(_LARGEST_ANSWER)
            answer = msgspec.json.decode(raw, type=Seen) if response.status == 200 else None
            seen = answer if answer and answer.asn else None  # 0: the operator's table does not have it
        except (OSError, http.client.HTTPException, msgspec.DecodeError):
            seen = None
        finally:
            connection.close()
        return own_address(socket.AF_INET) or own_address(socket.AF_INET6), seen

"""Which network the probe is in, and how that is known."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import time
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
import structlog

from probe.base.errors import UserError
from probe.place import this_network
from probe.place.own_names import own_address
from probe.protocol.measurement import Vantage

log = structlog.get_logger()

_LARGEST_ANSWER = 4096
_SILENT_S = 60.0
_HTTP_BYTES, _HTTPS_BYTES = 1200, 6500
"""One question and its answer on the wire, the TLS handshake with a chain of two certificates included."""


class WhoamiAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator's endpoint says of the connection it was asked over. It keeps no address."""

    asn: int
    country: str = ""


class Spot(NamedTuple):
    """What tells this network from the next without asking anybody. It stays in memory."""

    addresses: tuple[str, str]
    interface: str
    gateway: str
    gateway_mac: str


def spot() -> Spot:
    """Where this machine is now, by its own tables; nothing is sent."""
    at = this_network.here()
    return Spot((own_address(socket.AF_INET), own_address(socket.AF_INET6)), at.interface, at.gateway, at.gateway_mac)


class _LastAnswer(NamedTuple):
    """What the endpoint said, where and when."""

    spot: Spot
    at: float
    seen: WhoamiAnswer


class Whoami:
    """Asks the operator's `GET /v1/whoami` which network the request came from.

    `base` holds what is not asked (role, access and line), and what is taken while nobody answers. While nothing
    here says that the network changed, an answer holds for `fresh_s`, or until somebody doubts it: asked at every run,
    it would cost more data than the run's control, and mark the line by its rhythm. A block may take the operator's
    endpoint too, just when the answer matters most: so on the same network the last one is taken for `keep_s` where
    nobody answers.
    Raises UserError when `url` is no http or https address.
    """

    def __init__(
        self, url: str, base: Vantage, *, timeout: float = 5.0, fresh_s: float = 10_800.0, keep_s: float = 86400.0
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"whoami address {url!r}: must begin with http:// or https:// and name a host")
        self._host = parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._path = parts.path or "/v1/whoami"
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._base = base
        self._timeout = timeout
        self._fresh_s = fresh_s
        self._keep_s = keep_s
        self._known: _LastAnswer | None = None
        self._doubted = False
        self._silent: tuple[Spot, float] | None = None
        self.peer = ""
        """The endpoint's address as it was last reached: its answer is about the way there. It stays in memory."""
        self.used_bytes = 0
        """What asking took since somebody set this to 0, as estimated on the wire."""

    async def __call__(self) -> Vantage:
        """The vantage now. When nobody answers and nothing is remembered, `base` as it is."""
        known = None if self._doubted else self._of(spot(), self._fresh_s)
        if known is None and not self._in_vain():
            seen = await asyncio.to_thread(self._ask)
            now = (spot(), time.monotonic())
            self._known = _LastAnswer(*now, seen) if seen else self._known
            self._silent = None if seen else now
            self._doubted = self._doubted and not seen
        known = known or self._of(spot(), self._keep_s)
        if known is None:
            return self._base
        return msgspec.structs.replace(self._base, asn=known.asn, asn_how="whoami", country=known.country)

    def doubt(self) -> None:
        """The line was interrupted, and may be another one behind the same router: ask again."""
        self._doubted = True

    def _of(self, here: Spot, within_s: float) -> WhoamiAnswer | None:
        """The last answer, if it was given here and not too long ago."""
        known = self._known
        if known is None or known.spot != here or time.monotonic() - known.at >= within_s:
            return None
        return known.seen

    def _in_vain(self) -> bool:
        """Whether nobody answered here a moment ago: a run need not wait for that twice."""
        return self._silent is not None and self._silent[0] == spot() and time.monotonic() - self._silent[1] < _SILENT_S

    def _ask(self) -> WhoamiAnswer | None:
        """What the endpoint says, or None."""
        if self._tls:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout, context=self._tls
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        self.used_bytes += _HTTPS_BYTES if self._tls else _HTTP_BYTES
        try:
            connection.request("GET", self._path, headers={"Accept": "application/json"})
            self.peer = str(connection.sock.getpeername()[0])
            response = connection.getresponse()
            raw = response.read(_LARGEST_ANSWER)
            answer = msgspec.json.decode(raw, type=WhoamiAnswer) if response.status == 200 else None
        except (OSError, http.client.HTTPException, msgspec.DecodeError):
            return None
        finally:
            connection.close()
        return answer if answer and answer.asn else None  # 0: the operator's table does not have it

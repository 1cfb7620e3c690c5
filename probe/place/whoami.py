"""Asks the operator's endpoint which network (AS number and country) this probe is in."""

from __future__ import annotations

import time
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from probe.base.errors import UserError
from probe.net.fetch import FetchError, fetch
from probe.place.this_network import NetworkState, current_network
from probe.protocol.measurement import Vantage

_LARGEST_ANSWER = 4096
_RETRY_S = 60.0
"""After this time an endpoint that did not answer is asked again."""
_HTTP_BYTES, _HTTPS_BYTES = 1200, 6500
"""One request and its answer on the wire, including the TLS handshake with a chain of two certificates."""


class WhoamiAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator's endpoint answers about the connection it was asked over. It holds no address."""

    asn: int
    country: str = ""


class _KeptAnswer(NamedTuple):
    """An answer, the network in which it was given, and when, in monotonic seconds."""

    network: NetworkState
    time_s: float
    answer: WhoamiAnswer


class WhoamiMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe's next process needs to know about earlier answers. It stays in memory: never logged or stored."""

    kept: _KeptAnswer | None = None
    doubted: bool = False
    silence: tuple[NetworkState, float] | None = None
    peer: str = ""


class Whoami:
    """Asks the operator's `GET /v1/whoami` which network the request came from.

    `base` holds what is not asked (role, access and line), and is used as it is while there is no answer. An answer
    holds for `fresh_s`, unless this machine's own tables show any change of the network or `doubt` is called:
    asking at every run would take more data than the run's control, and reveal the line by its rhythm. A block may
    affect the operator's endpoint too, just when the answer matters most: while the endpoint is silent and the network
    has not changed, the last answer holds for `keep_s`.
    Raises UserError when `url` is no http or https address.
    """

    def __init__(
        self, url: str, base: Vantage, *, timeout: float = 5.0, fresh_s: float = 10_800.0, keep_s: float = 86400.0
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"whoami address {url!r}: must begin with http:// or https:// and name a host")
        self._url = parts._replace(path=parts.path or "/v1/whoami").geturl()
        self._request_bytes = _HTTPS_BYTES if parts.scheme == "https" else _HTTP_BYTES
        self._base = base
        self._timeout = timeout
        self._fresh_s = fresh_s
        self._keep_s = keep_s
        self._kept: _KeptAnswer | None = None
        self._doubted = False
        self._silence: tuple[NetworkState, float] | None = None
        """The network in which the endpoint last did not answer, and when."""
        self.peer = ""
        """The endpoint's address as it was last reached, since its answer is about the route there. Kept in memory."""
        self.used_bytes = 0
        """Estimated bytes on the wire that asking took since this was last set to 0."""

    async def __call__(self) -> Vantage:
        """The vantage now; `base` as it is when there is neither a new nor a kept answer."""
        network = current_network()
        answer = None if self._doubted else self._kept_answer(network, self._fresh_s)
        if answer is None and not self._was_silent(network):
            network = await self._renew(network)
        answer = answer or self._kept_answer(network, self._keep_s)
        if answer is None:
            return self._base
        return msgspec.structs.replace(self._base, asn=answer.asn, asn_how="whoami", country=answer.country)

    def doubt(self) -> None:
        """Ask again at the next call: the connection was interrupted, and the router may use another line now."""
        self._doubted = True

    @property
    def memory(self) -> WhoamiMemory:
        """What to hand to the probe's next process."""
        return WhoamiMemory(kept=self._kept, doubted=self._doubted, silence=self._silence, peer=self.peer)

    def restore(self, memory: WhoamiMemory) -> None:
        """Go on from what an earlier process of this probe knew."""
        self._kept, self._doubted = memory.kept, memory.doubted
        self._silence, self.peer = memory.silence, memory.peer

    async def _renew(self, before: NetworkState) -> NetworkState:
        """Ask, keep the answer, and return the network's state afterwards.

        An answer during which the network changed is dropped: it may be about the other one. That the gateway's
        hardware address was not known before the request made the kernel look it up is no change.
        """
        answer = await self._ask()
        now_s, network = time.monotonic(), current_network()
        if network.routes != before.routes or before.gateway_mac not in ("", network.gateway_mac):
            return network
        self._kept = _KeptAnswer(network, now_s, answer) if answer else self._kept
        self._silence = None if answer else (network, now_s)
        self._doubted = self._doubted and not answer
        return network

    def _kept_answer(self, network: NetworkState, within_s: float) -> WhoamiAnswer | None:
        """The last answer, if it was given in this network and at most `within_s` ago."""
        kept = self._kept
        if kept is None or kept.network != network or time.monotonic() - kept.time_s >= within_s:
            return None
        return kept.answer

    def _was_silent(self, network: NetworkState) -> bool:
        """Whether the endpoint did not answer in this network a moment ago: a run need not wait for that twice."""
        return (
            self._silence is not None and self._silence[0] == network and time.monotonic() - self._silence[1] < _RETRY_S
        )

    async def _ask(self) -> WhoamiAnswer | None:
        """The endpoint's answer; None when it fails or does not know the network."""
        self.used_bytes += self._request_bytes
        try:
            document = await fetch(self._url, timeout_s=self._timeout, largest=_LARGEST_ANSWER, direct=True)
            answer = msgspec.json.decode(document.body, type=WhoamiAnswer)
        except (FetchError, msgspec.DecodeError):
            return None
        self.peer = document.peer
        return answer if answer.asn else None  # 0: not in the operator's prefix table

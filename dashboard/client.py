"""The API as the pages read it: short timeouts, nothing fetched twice, and the last good answer kept for bad times."""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

_TIMEOUT = httpx.Timeout(5.0, connect=1.0)
_KEPT = 256
"""Answers kept, over all pages and visitors; the ones not asked for longest go first."""

Params = dict[str, str | int | float]


class ApiDown(Exception):  # noqa: N818 - says what is the matter
    """The API doesn't answer, or answers with a failure of its own, and nothing is known from before."""


class NotThere(Exception):  # noqa: N818 - says what is the matter
    """The API knows no such thing. The text says what."""


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """An answer of the API. `stale` says why it isn't fresh; "" when it is."""

    value: Any
    at: dt.datetime
    """When the API last confirmed it."""
    stale: str = ""


@dataclass(slots=True)
class _Kept:
    etag: str
    reading: ApiAnswer


@dataclass
class Client:
    """Reads one API. Safe to use from many threads."""

    base: str
    _http: httpx.Client = field(init=False, repr=False)
    _kept: OrderedDict[str, _Kept] = field(default_factory=OrderedDict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        """Open the connection pool; proxies in the environment are not for loopback."""
        self._http = httpx.Client(base_url=self.base, timeout=_TIMEOUT, trust_env=False)

    def watches(self) -> ApiAnswer:
        """All watches."""
        return self._get("/v1/watches")

    def onsets(self, watch: str) -> ApiAnswer:
        """What is known about all providers of a watch."""
        return self._get(f"/v1/watches/{quote(watch, safe='')}/onsets")

    def provider(self, watch: str, provider: str) -> ApiAnswer:
        """One provider with its newest revisions."""
        return self._get(f"{_provider(watch, provider)}", {"limit": 20})

    def series(self, watch: str, provider: str, params: Params) -> ApiAnswer:
        """One page of a provider's outcomes."""
        return self._get(f"{_provider(watch, provider)}/series", params)

    def rule_set(self, version: str) -> ApiAnswer:
        """The rules of one version, each with the reason for its verdict."""
        return self._get(f"/v1/rule-sets/{quote(version, safe='')}")

    def health(self) -> dict[str, Any]:
        """What the aggregator says of itself; empty where it says nothing."""
        try:
            said = self._http.get("/healthz").json()
        except (httpx.HTTPError, ValueError):
            return {}
        return said if isinstance(said, dict) else {}

    def _get(self, path: str, params: Params | None = None) -> ApiAnswer:
        """Read a path. Raises NotThere and ApiDown; with an earlier answer at hand, gives that as stale instead."""
        key = str(httpx.URL(path, params=params))
        with self._lock:
            kept = self._kept.get(key)
        try:
            response = self._http.get(key, headers={"If-None-Match": kept.etag} if kept else {})
        except httpx.HTTPError as e:
            return _old(kept, f"{self.base} does not answer ({type(e).__name__})")
        if response.status_code == httpx.codes.NOT_FOUND:
            raise NotThere(_detail(response))
        now = dt.datetime.now(dt.UTC)
        if kept and response.status_code == httpx.codes.NOT_MODIFIED:
            return self._keep(key, _Kept(kept.etag, ApiAnswer(kept.reading.value, now)))
        if response.status_code != httpx.codes.OK:
            return _old(kept, f"{self.base} answers {response.status_code}: {_detail(response)}")
        return self._keep(key, _Kept(response.headers.get("ETag", ""), ApiAnswer(response.json(), now)))

    def _keep(self, key: str, kept: _Kept) -> ApiAnswer:
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return kept.reading


def _provider(watch: str, provider: str) -> str:
    return f"/v1/watches/{quote(watch, safe='')}/providers/{quote(provider, safe='')}"


def _old(kept: _Kept | None, why: str) -> ApiAnswer:
    if kept is None:
        raise ApiDown(why)
    return ApiAnswer(kept.reading.value, kept.reading.at, why)


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json().get("detail", ""))
    except (ValueError, AttributeError):
        return response.reason_phrase

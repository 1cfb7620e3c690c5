"""The client of the API: short timeouts, conditional requests, and the last good answer while the API is down."""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from dashboard.shapes import HealthView, OnsetsView, ProviderPageView, RuleSetView, SeriesView, WatchListView

_TIMEOUT = httpx.Timeout(5.0, connect=1.0)
_CACHE_SIZE = 256
"""Answers kept for all pages and visitors together; the least recently fetched ones are dropped first."""

Params = dict[str, str | int | float]
T = TypeVar("T")


class ApiDown(Exception):  # noqa: N818 - a state of the API
    """The API doesn't answer, or answers with a failure, and there is no earlier answer to show."""


class NotThere(Exception):  # noqa: N818 - shown as a notice, not as a failure
    """The API has no such resource. The message names it."""


@dataclass(frozen=True, slots=True)
class ApiAnswer(Generic[T]):
    """An answer of the API. `stale` is the reason why it may be out of date; "" if it is current."""

    value: T
    at: dt.datetime
    """When the API last confirmed it."""
    stale: str = ""


@dataclass(slots=True)
class _CachedAnswer:
    etag: str
    answer: ApiAnswer[Any]


@dataclass
class Client:
    """Reads the API at the URL `base`. Safe to use from many threads.

    Methods raise NotThere, and ApiDown unless an earlier answer can be returned as stale.
    """

    base: str
    _http: httpx.Client = field(init=False, repr=False)
    _cache: OrderedDict[str, _CachedAnswer] = field(default_factory=OrderedDict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        """Open the connection pool. Proxies in the environment are ignored: they aren't for loopback."""
        self._http = httpx.Client(base_url=self.base, timeout=_TIMEOUT, trust_env=False)

    def watches(self) -> ApiAnswer[WatchListView]:
        """All watches."""
        return self._get("/v1/watches", WatchListView)

    def onsets(self, watch: str) -> ApiAnswer[OnsetsView]:
        """What is known about all providers of a watch."""
        return self._get(f"/v1/watches/{quote(watch, safe='')}/onsets", OnsetsView)

    def provider(self, watch: str, provider: str) -> ApiAnswer[ProviderPageView]:
        """One provider with its newest revisions."""
        return self._get(_provider(watch, provider), ProviderPageView, {"limit": 20})

    def series(self, watch: str, provider: str, params: Params) -> ApiAnswer[SeriesView]:
        """One page of a provider's outcomes."""
        return self._get(f"{_provider(watch, provider)}/series", SeriesView, params)

    def rule_set(self, version: str) -> ApiAnswer[RuleSetView]:
        """The rules of one version, each with the reason for its verdict."""
        return self._get(f"/v1/rule-sets/{quote(version, safe='')}", RuleSetView)

    def health(self) -> HealthView | None:
        """The aggregator's report about itself; None if there is no usable one. Raises nothing."""
        try:
            return msgspec.json.decode(self._http.get("/healthz").content, type=HealthView)
        except (httpx.HTTPError, msgspec.DecodeError):
            return None

    def _get(self, path: str, shape: type[T], params: Params | None = None) -> ApiAnswer[T]:
        """Get a path. Raises NotThere, and ApiDown unless an earlier answer can be returned as stale."""
        key = str(httpx.URL(path, params=params))
        with self._lock:
            cached = self._cache.get(key)
        try:
            response = self._http.get(key, headers={"If-None-Match": cached.etag} if cached else {})
        except httpx.HTTPError as e:
            return _stale(cached, f"{self.base} does not answer ({type(e).__name__})")
        if response.status_code == httpx.codes.NOT_FOUND:
            raise NotThere(_detail(response))
        now = dt.datetime.now(dt.UTC)
        if cached and response.status_code == httpx.codes.NOT_MODIFIED:
            return self._store(key, cached.etag, ApiAnswer(cached.answer.value, now))
        if response.status_code != httpx.codes.OK:
            return _stale(cached, f"{self.base} answers {response.status_code}: {_detail(response)}")
        try:
            value = msgspec.json.decode(response.content, type=shape)
        except msgspec.DecodeError as e:
            return _stale(cached, f"{self.base} gives an answer that this dashboard can't read: {e}")
        return self._store(key, response.headers.get("ETag", ""), ApiAnswer(value, now))

    def _store(self, key: str, etag: str, answer: ApiAnswer[T]) -> ApiAnswer[T]:
        with self._lock:
            self._cache[key] = _CachedAnswer(etag, answer)
            self._cache.move_to_end(key)
            while len(self._cache) > _CACHE_SIZE:
                self._cache.popitem(last=False)
        return answer


def _provider(watch: str, provider: str) -> str:
    return f"/v1/watches/{quote(watch, safe='')}/providers/{quote(provider, safe='')}"


def _stale(cached: _CachedAnswer | None, why: str) -> ApiAnswer[Any]:
    if cached is None:
        raise ApiDown(why)
    return ApiAnswer(cached.answer.value, cached.answer.at, why)


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json().get("detail", ""))
    except (ValueError, AttributeError):
        return response.reason_phrase

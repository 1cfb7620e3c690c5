"""A connection to NATS that comes back: used by the probe and by the aggregator.

nats-py can reconnect by itself, but closes for good on some errors (an expired user, an authorization error), and its
pause has no jitter. So there is one mechanism here: every connection is a new nats-py client that never reconnects,
and when it ends, the next one is made. URLs are tried in turn, one a client, so tcp and ws URLs may be mixed.

tls:// begins with the TLS handshake, as any other TLS does (the server needs `handshake_first` in its `tls` block):
NATS' own way, a greeting in the clear first, tells everybody on the way what it is, and could be talked out of TLS.
For tls:// and wss:// the server's certificate must be valid for the URL's host name, by this machine's authorities or
by those in a file of one's own.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import itertools
import ssl
from typing import TYPE_CHECKING

import structlog

from probe.base.errors import UserError
from probe.base.retry import waits
from probe.protocol.collector_urls import SCHEMES, SECURE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from probe.protocol.keys import Key

log = structlog.get_logger()
_CONNECT_S = 5
_PING_S = 20
_LOOK_S = 1.0
_CLOSE_S = 5.0
_CANCEL_AGAIN_S = 0.5


class NatsLink:
    """A connection that is made, and made again, until it is closed. Make one with `connect`."""

    def __init__(
        self,
        urls: Sequence[str],
        key: Key,
        name: str,
        inbox_prefix: str,
        most_wait_s: float,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._urls = urls
        self._tls = tls
        self._key = key
        self._name = name
        self._inbox_prefix = inbox_prefix
        self._most_wait_s = most_wait_s
        self._subscriptions: list[tuple[str, Callable[[Msg], Awaitable[None]]]] = []
        self._client: Client | None = None
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._task = asyncio.create_task(self._keep(), name=f"nats {name}")
        self.tried = asyncio.Event()
        """Set once the first try has gone well or failed."""
        self.last_error = "not tried yet"
        self.url = ""
        """Where the present connection leads, or the last one led."""
        self.bytes = 0
        """What all connections so far carried in both directions, as NATS counts it: without TLS and packets."""

    @property
    def is_up(self) -> bool:
        """Whether there is a live connection now."""
        return self._client is not None and self._client.is_connected

    async def ready(self) -> Client:
        """The present nats-py client, as soon as there is one.

        What is made from it (a JetStream context, a pull subscription) dies with it: when a call on it fails and
        `is_connected` is false, come back here for the next.
        """
        while True:
            await self._up.wait()
            if self._client is not None and self._client.is_connected:
                return self._client
            self._down.set()
            await asyncio.sleep(0.01)

    async def subscribe(self, subject: str, callback: Callable[[Msg], Awaitable[None]]) -> None:
        """Call back with every message on a subject, over every connection from now on."""
        self._subscriptions.append((subject, callback))
        if self._client is not None and self._client.is_connected:
            await self._client.subscribe(subject, cb=callback)

    async def request(
        self, subject: str, payload: bytes, *, timeout_s: float, headers: dict[str, str] | None = None
    ) -> Msg:
        """Publish and wait for the answer. Raises TimeoutError, and ConnectionError for every other failure.

        NATS gives no answer to a publish that it denies: that is a TimeoutError too.
        """
        from nats.errors import Error  # noqa: PLC0415 - 5 MB, only once needed

        try:
            async with asyncio.timeout(timeout_s):
                client = await self.ready()
                return await client.request(subject, payload, timeout=timeout_s, headers=headers)
        except TimeoutError as e:  # nats-py's own is one of these, too
            raise TimeoutError(f"{subject}: no answer within {timeout_s} s") from e
        except Error as e:
            raise ConnectionError(f"{subject}: {e or type(e).__name__}") from e

    async def close(self) -> None:
        """Send what is pending, and end. Doing so twice is harmless."""
        while not self._task.done():  # nats-py swallows a cancellation that reaches it while it closes: cancel again
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=_CANCEL_AGAIN_S)
        await self._drop()

    async def _keep(self) -> None:
        urls = itertools.cycle(self._urls)
        pauses = waits(0.2, self._most_wait_s)
        say = log.warning
        while True:
            url = next(urls)
            try:
                self._client = await self._open(url)
                for subject, callback in self._subscriptions:
                    await self._client.subscribe(subject, cb=callback)
            except Exception as e:  # noqa: BLE001 - whatever it is, the next try is the answer
                self.tried.set()
                self.last_error = f"{url}: {e or type(e).__name__}"
                say("NATS does not answer; will try again", error=self.last_error, name=self._name)
                say = log.debug  # one line for each outage
                await self._drop()
                await asyncio.sleep(next(pauses))
                continue
            self.url = url
            log.info("connected to NATS", url=url, name=self._name)
            pauses, say = waits(0.2, self._most_wait_s), log.warning
            self._up.set()
            self.tried.set()
            await self._ended()
            self._up.clear()
            log.info("lost NATS", url=url, name=self._name)
            await self._drop()
            await asyncio.sleep(next(pauses))

    async def _open(self, url: str) -> Client:
        """One try at one URL. Raises whatever nats-py raises."""
        from nats.aio.client import Client  # noqa: PLC0415 - 5 MB, only once needed

        client = Client()
        if url.startswith(("ws://", "wss://")):
            from probe.nats.websocket import WebSocket  # noqa: PLC0415 - rarely needed

            client._transport = WebSocket()  # noqa: SLF001 - else nats-py makes its own, which needs aiohttp
        # With a callback for the signature, nats-py has no public way to say whose it is. Its own way needs the
        # `nkeys` package and the seed's text; with this attribute our own Key signs.
        client._public_nkey = self._key.id  # noqa: SLF001
        failed: list[Exception] = []

        async def on_error(error: Exception) -> None:
            failed.append(error)
            if "permissions violation" in str(error):
                log.warning("NATS denies this", error=str(error), name=self._name)

        async def on_closed() -> None:
            self._down.set()

        self._down.clear()
        try:
            async with asyncio.timeout(_CONNECT_S):
                await client.connect(
                    url,
                    name=self._name,
                    signature_cb=lambda nonce: base64.b64encode(self._key.sign(nonce.encode())),
                    inbox_prefix=self._inbox_prefix,
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=_CONNECT_S,
                    ping_interval=_PING_S,
                    max_outstanding_pings=2,
                    error_cb=on_error,
                    closed_cb=on_closed,
                    tls_handshake_first=url.startswith("tls://"),
                    tls=self._tls,
                )
        except BaseException as e:
            await _abandon(client)
            if failed and isinstance(e, Exception):
                raise failed[-1] from e
            raise
        return client

    async def _ended(self) -> None:
        """Return when the client is no longer connected. nats-py doesn't call back in every case, so look, too."""
        while self._client is not None and self._client.is_connected:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._down.wait(), _LOOK_S)

    async def _drop(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSE_S):
                if client.is_connected:
                    await client.flush()
                self.bytes += client.stats["in_bytes"] + client.stats["out_bytes"]
                await client.close()


async def _abandon(client: Client) -> None:
    """Close a client that never got connected: at once, since a server that is silent in TLS closes nothing."""
    writer = getattr(client._transport, "_io_writer", None)  # noqa: SLF001 - nats-py has no way to abort
    if writer is not None:
        writer.transport.abort()
    with contextlib.suppress(Exception):
        async with asyncio.timeout(1.0):
            await client.close()


async def connect(
    urls: Sequence[str],
    key: Key,
    name: str,
    *,
    inbox_prefix: str = "_INBOX",
    within_s: float | None = None,
    most_wait_s: float = 30.0,
    ca_file: Path | None = None,
) -> NatsLink:
    """Start a connection that authenticates as `key` and is kept up until closed.

    Returns at once, connecting in the background; with `within_s` it waits for the first connection, and raises
    UserError, naming the URLs and the last error, where there was none in that time. `most_wait_s` bounds the pause
    between tries, `ca_file` replaces this machine's certificate authorities. Raises UserError for a URL that is none.
    """
    for url in urls:
        if not url.startswith(SCHEMES):
            raise UserError(f"NATS URL {url!r}: must begin with one of {', '.join(SCHEMES)}")
    if not urls:
        raise UserError("no NATS URL is given")
    tls = _context(ca_file) if any(u.startswith(SECURE) for u in urls) else None
    connection = NatsLink(tuple(urls), key, name, inbox_prefix, most_wait_s, tls)
    if within_s is not None:
        try:
            await asyncio.wait_for(connection.ready(), within_s)
        except TimeoutError:
            await connection.close()
            raise UserError(
                f"NATS at {', '.join(urls)} does not answer ({connection.last_error}): is it running?"
            ) from None
    return connection


@functools.cache
def _context(ca_file: Path | None) -> ssl.SSLContext:
    """What verifies a server. Reading the authorities is dear, so it is done once. Raises UserError."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as e:  # ssl.SSLError is one, too
        raise UserError(f"{ca_file}: no certificate authorities can be read from it: {e.strerror or e}") from e

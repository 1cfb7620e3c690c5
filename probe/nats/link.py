"""A connection to NATS that reconnects until it is closed: used by the probe and by the aggregator.

nats-py can reconnect by itself, but closes for good on some errors (an expired user, an authorization error), and its
pause has no jitter. So every connection here is a new nats-py client that never reconnects, and when it ends, the next
one is made. URLs are tried in turn, one for each client, so tcp and ws URLs may be mixed.

A tls:// connection begins with the TLS handshake, as other protocols do (the server needs `handshake_first` in its
`tls` block). By default NATS sends a greeting in plain text first, which shows everybody on the path that this is NATS
and which an attacker on the path can change so that TLS is not used. For tls:// and wss:// the server's certificate
must be valid for the URL's host name, by this machine's certificate authorities or by those in a given file.
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
_CHECK_S = 1.0
_CLOSE_S = 5.0
_CANCEL_AGAIN_S = 0.5


class NatsLink:
    """A connection that is made again whenever it ends, until `close`. Make one with `connect`."""

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
        """Set once the first attempt has succeeded or failed."""
        self.last_error = "not tried yet"
        self.url = ""
        """The URL of the present connection, or of the last one."""
        self.bytes = 0
        """Bytes that all ended connections carried in both directions, without the overhead of TLS and packets."""

    @property
    def is_up(self) -> bool:
        """Whether there is a live connection now."""
        return self._client is not None and self._client.is_connected

    async def ready(self) -> Client:
        """Wait for a live connection and return its nats-py client.

        What is made from a client (a JetStream context, a pull subscription) ends with it: when a call on it fails and
        the client's `is_connected` is false, call this again for the next client.
        """
        while True:
            await self._up.wait()
            if self._client is not None and self._client.is_connected:
                return self._client
            self._down.set()
            await asyncio.sleep(0.01)

    async def subscribe(self, subject: str, callback: Callable[[Msg], Awaitable[None]]) -> None:
        """Call `callback` with every message on a subject, over this connection and all later ones."""
        self._subscriptions.append((subject, callback))
        if self._client is not None and self._client.is_connected:
            await self._client.subscribe(subject, cb=callback)

    async def request(
        self, subject: str, payload: bytes, *, timeout_s: float, headers: dict[str, str] | None = None
    ) -> Msg:
        """Publish and wait for the reply. Raises TimeoutError, and ConnectionError for every other failure.

        NATS does not reply to a publish that it denies: that is a TimeoutError too.
        """
        from nats.errors import Error  # noqa: PLC0415 - takes 5 MB: loaded when needed

        try:
            async with asyncio.timeout(timeout_s):
                client = await self.ready()
                return await client.request(subject, payload, timeout=timeout_s, headers=headers)
        except TimeoutError as e:  # nats-py's own timeout error is one of these too
            raise TimeoutError(f"{subject}: no answer within {timeout_s} s") from e
        except Error as e:
            raise ConnectionError(f"{subject}: {e or type(e).__name__}") from e

    async def close(self) -> None:
        """Send what is pending and disconnect for good. Calling it again does nothing."""
        await _cancel(self._task, again_s=2 * _CANCEL_AGAIN_S)
        await self._drop()

    async def _keep(self) -> None:
        """The task behind a link: connects to the URLs in turn, with pauses, whenever there is no connection."""
        urls = itertools.cycle(self._urls)
        pauses = waits(0.2, self._most_wait_s)
        log_failure = log.warning
        while True:
            url = next(urls)
            try:
                self._client = await self._open(url)
                for subject, callback in self._subscriptions:
                    await self._client.subscribe(subject, cb=callback)
            except Exception as e:  # noqa: BLE001 - whatever went wrong, it is tried again
                self.tried.set()
                self.last_error = f"{url}: {e or type(e).__name__}"
                log_failure("can't connect to NATS, will try again", error=self.last_error, name=self._name)
                log_failure = log.debug  # one warning for each outage
                await self._drop()
                await asyncio.sleep(next(pauses))
                continue
            self.url = url
            log.info("connected to NATS", url=url, name=self._name)
            pauses, log_failure = waits(0.2, self._most_wait_s), log.warning
            self._up.set()
            self.tried.set()
            await self._wait_until_down()
            self._up.clear()
            log.info("lost the connection to NATS", url=url, name=self._name)
            await self._drop()
            await asyncio.sleep(next(pauses))

    async def _open(self, url: str) -> Client:
        """Make one connection to one URL. Raises whatever nats-py raises."""
        from nats.aio.client import Client  # noqa: PLC0415 - takes 5 MB: loaded when needed

        client = Client()
        # With a signature callback, nats-py has no public way to set the user's public key. Its public way needs the
        # `nkeys` package and the seed's text; with this attribute our own Key signs.
        client._public_nkey = self._key.id  # noqa: SLF001
        errors: list[Exception] = []

        async def on_error(error: Exception) -> None:
            errors.append(error)
            if "permissions violation" in str(error):
                log.warning("NATS denied a publish or a subscription", error=str(error), name=self._name)

        async def on_closed() -> None:
            self._down.set()

        self._down.clear()
        connecting = asyncio.create_task(
            client.connect(
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
        )
        try:
            # In a task of its own: a timeout or a cancellation that nats-py swallows would be lost otherwise.
            async with asyncio.timeout(_CONNECT_S):
                await asyncio.shield(connecting)
        except BaseException as e:
            await _cancel(connecting)
            await _abandon(client)
            if errors and isinstance(e, Exception):
                raise errors[-1] from e  # it says more than the error of `connect`
            raise
        return client

    async def _wait_until_down(self) -> None:
        """Return when the client is no longer connected. nats-py doesn't always call back, so this also polls."""
        while self._client is not None and self._client.is_connected:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._down.wait(), _CHECK_S)

    async def _drop(self) -> None:
        """Flush and close the present client, if there is one."""
        client, self._client = self._client, None
        if client is None:
            return
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSE_S):
                if client.is_connected:
                    await client.flush()
                self.bytes += client.stats["in_bytes"] + client.stats["out_bytes"]
                await client.close()


async def _cancel(task: asyncio.Task[None], *, again_s: float = _CANCEL_AGAIN_S) -> None:
    """Cancel a task and wait until it has ended. nats-py swallows some cancellations, so it is cancelled repeatedly."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=again_s)
    if not task.cancelled():
        task.exception()  # seen: asyncio reports it otherwise


async def _abandon(client: Client) -> None:
    """Close a client that never got connected, at once: a server that hangs in the TLS handshake never closes."""
    writer = getattr(client._transport, "_io_writer", None)  # noqa: SLF001 - nats-py has no public way to abort
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
    """Start a connection that authenticates as `key` and reconnects until it is closed.

    Returns at once and connects in the background. With `within_s` it waits for the first connection, and raises a
    UserError with the URLs and the last error if there is none in that time. `most_wait_s` is the longest pause between
    attempts, `ca_file` replaces this machine's certificate authorities. Raises UserError for a URL of another scheme.
    """
    for url in urls:
        if not url.startswith(SCHEMES):
            raise UserError(f"NATS URL {url!r}: must begin with one of {', '.join(SCHEMES)}")
    if not urls:
        raise UserError("no NATS URL is given: name at least one collector")
    tls = _context(ca_file) if any(u.startswith(SECURE) for u in urls) else None
    link = NatsLink(tuple(urls), key, name, inbox_prefix, most_wait_s, tls)
    if within_s is not None:
        try:
            await asyncio.wait_for(link.ready(), within_s)
        except TimeoutError:
            await link.close()
            raise UserError(f"NATS at {', '.join(urls)} does not answer ({link.last_error}): is it running?") from None
    return link


@functools.cache
def _context(ca_file: Path | None) -> ssl.SSLContext:
    """The TLS context that verifies servers; made once, since loading the authorities is slow. Raises UserError."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as e:  # ssl.SSLError is one too
        raise UserError(f"{ca_file}: no certificate authorities can be read from it: {e.strerror or e}") from e

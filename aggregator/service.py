"""The running aggregator: ingest, revision and the API in one process, because one process owns the store."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import structlog
import uvicorn

from aggregator.answers.reviser import Reviser
from aggregator.api import create_app
from aggregator.inference.onset import infer
from aggregator.intake.consumer import Consumer
from aggregator.intake.ingest import Ingest
from aggregator.intake.questions import QuestionHandler
from aggregator.judging import judge, rule_set
from aggregator.store.store import Store
from aggregator.watches import served
from probe.base.errors import UserError
from probe.nats.link import connect
from probe.protocol.keys import Key

if TYPE_CHECKING:
    from litestar import Litestar

    from aggregator.config import Settings
    from probe.nats.link import NatsLink

log = structlog.get_logger()

_NATS_WITHIN_S = 5.0
_API_LETS_GO_S = 3


class Aggregator:
    """One aggregator over an open store."""

    def __init__(self, settings: Settings, store: Store, listener: socket.socket) -> None:
        """`listener` is where the API answers. Raises UserError for a key, a watch or a rule set; StoreError."""
        self._settings = settings
        operator = Key.load_or_create(settings.operator_key, "operator")
        self._rules = rule_set.load(rule_set.newest())
        self._watches = served.serve(store, settings.watch, operator.id)
        judge.ensure(store, self._rules)
        self._ingest = Ingest(store, operator, self._watches, self._rules)
        self._ingest.repair()
        self._questions = QuestionHandler(store, operator, self._watches)
        self._reviser = Reviser(store, self._watches, self._rules, infer, lambda: self._ingest.complete_ms)
        self._connection: NatsLink | None = None
        self._listener = listener
        app = create_app(store, self._watches, health=self.health, prefixes=settings.prefixes)
        self._api = _ApiServer(app, f"http://127.0.0.1:{listener.getsockname()[1]}")

    async def run(self) -> None:
        """Run until told to stop (SIGTERM, SIGINT): the batch under way is finished, what was stored is acknowledged.

        Raises UserError when NATS does not answer at the start; afterwards its failures are waited out.
        """
        s = self._settings
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        key = Key.load_or_create(s.key, "user")
        self._connection = await connect(s.nats, key, "aggregator", within_s=_NATS_WITHIN_S)
        consumer = Consumer(
            self._connection,
            self._ingest,
            self._questions,
            on_new_rows=self._reviser.touch,
            wait_s=s.gather_s,
            max_bytes=s.stream_max_bytes,
        )
        await consumer.make_stream()
        works = [
            asyncio.create_task(consumer.run(stop), name="ingest"),
            asyncio.create_task(self._reviser.run(stop), name="revise"),
            asyncio.create_task(self._api.serve(sockets=[self._listener]), name="api"),
        ]
        try:
            await asyncio.wait({*works, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.set()
            self._api.should_exit = True
            ends = await asyncio.gather(*works, return_exceptions=True)
            consumer.close()
            await self._connection.close()
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    def health(self) -> dict[str, Any]:
        """Whether all is well, and what isn't."""
        nats = self._connection is not None and self._connection.is_up
        return {
            "ok": nats,
            "nats": "connected" if nats else "not connected: probes keep what they measure",
            "known_until_ms": self._ingest.complete_ms,
            "rule_set": self._rules.version,
            "watches": sorted(self._watches),
        }


def run(settings: Settings) -> None:
    """Open the store and run an aggregator on it until told to stop. Raises UserError."""
    with _listen(settings.api_port) as listener, contextlib.closing(Store.open(settings.store)) as store:
        asyncio.run(Aggregator(settings, store, listener).run())


class _ApiServer(uvicorn.Server):
    """uvicorn without its own signal handlers: the service decides when all of its parts end.

    There is no access log: it would hold callers' addresses. Once it answers, it says on stdout where.
    """

    def __init__(self, app: Litestar, url: str) -> None:
        self._url = url
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_API_LETS_GO_S,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(json.dumps({"api": self._url}) + "\n")
        sys.stdout.flush()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(port: int) -> socket.socket:
    """A socket on loopback. Raises UserError naming the port."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as e:
        listener.close()
        raise UserError(f"--api-port {port}: {e.strerror}. Choose another, or 0 for any free one.") from e
    return listener

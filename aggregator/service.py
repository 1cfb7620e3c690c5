"""The running aggregator: ingest, revision of answers and the API in one process, as only one may open the store."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import structlog
import uvicorn

from aggregator import metrics
from aggregator.answers.reviser import Reviser
from aggregator.api import server
from aggregator.api.app import create_app
from aggregator.api.requests import SOFTWARE
from aggregator.api.shapes import Health
from aggregator.inference.answer.describe import MODEL
from aggregator.inference.onset import infer
from aggregator.intake.consumer import Consumer
from aggregator.intake.ingest import Ingest
from aggregator.intake.questions import QuestionHandler
from aggregator.intake.stream_metrics import watch_stream
from aggregator.judging import judge, rule_set
from aggregator.store.store import Store
from aggregator.watches import served
from probe.base.errors import UserError
from probe.base.stopping import stop_on_signals
from probe.nats.link import connect
from probe.protocol.keys import Key

if TYPE_CHECKING:
    from litestar import Litestar

    from aggregator.config import Settings
    from probe.nats.link import NatsLink

log = structlog.get_logger()

_NATS_WITHIN_S = 5.0


class Aggregator:
    """One aggregator over an open store."""

    def __init__(self, settings: Settings, store: Store, listener: socket.socket) -> None:
        """`listener` is the API's socket.

        Raises UserError for a key, watch or rule set that can't be used; StoreError.
        """
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
        """Run until SIGTERM or SIGINT; then finish the current batch and acknowledge what was stored.

        Raises UserError when NATS does not answer at the start; later failures of NATS are retried.
        """
        s = self._settings
        stop = asyncio.Event()
        stop_on_signals(stop)
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
        metrics.BUILD.info({"version": SOFTWARE, "rule_set": self._rules.version, "model": MODEL})
        metrics.NATS_UP.set_function(lambda: self._is_connected)
        tasks = [
            asyncio.create_task(consumer.run(stop), name="ingest"),
            asyncio.create_task(watch_stream(self._connection, stop), name="stream"),
            asyncio.create_task(self._reviser.run(stop), name="revise"),
            asyncio.create_task(self._api.serve(sockets=[self._listener]), name="api"),
        ]
        try:
            await asyncio.wait({*tasks, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.set()
            self._api.should_exit = True
            results = await asyncio.gather(*tasks, return_exceptions=True)
            consumer.close()
            await self._connection.close()
        for result in results:
            if isinstance(result, BaseException):
                raise result

    @property
    def _is_connected(self) -> bool:
        return self._connection is not None and self._connection.is_up

    def health(self) -> Health:
        """Whether the aggregator works, and what is wrong where it doesn't."""
        return Health(
            ok=self._is_connected,
            nats="connected" if self._is_connected else "not connected: probes keep what they measure",
            known_until_ms=self._ingest.complete_ms,
            rule_set=self._rules.version,
            watches=tuple(sorted(self._watches)),
        )


def run(settings: Settings) -> None:
    """Open the store and run an aggregator on it until SIGTERM or SIGINT. Raises UserError, StoreError."""
    with _listen(settings.api_port) as listener, contextlib.closing(Store.open(settings.store)) as store:
        asyncio.run(Aggregator(settings, store, listener).run())


class _ApiServer(uvicorn.Server):
    """uvicorn without its own signal handlers: `Aggregator.run` ends all of its tasks together.

    Prints {"api": URL} on stdout once it answers.
    """

    def __init__(self, app: Litestar, url: str) -> None:
        self._url = url
        super().__init__(server.config(app))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(json.dumps({"api": self._url}) + "\n")
        sys.stdout.flush()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(port: int) -> socket.socket:
    """A socket bound to 127.0.0.1. Raises UserError that names the port."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as e:
        listener.close()
        raise UserError(f"--api-port {port}: {e.strerror}. Choose another, or 0 for any free one.") from e
    return listener

"""One machine's stack: its processes, the order in which they start and end, and the report at the end.

What is measured is a `Subject`: a lab scenario (its country and its fleet) or a real watch (one probe on this machine).
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import structlog

from aggregator.store.store import Store
from infra.child import blockonset
from infra.nats import nats_server
from infra.up.data_directory import DataDirectory
from infra.up.report import CustodyBalance, ProviderResult, ProviderTruth, Report, answer_of
from infra.up.supervisor import StackProcess, Supervisor
from probe.base.errors import UserError
from probe.custody.spool import read_ledger
from probe.protocol import watch_file
from probe.protocol.keys import Key

log = structlog.get_logger()

_API_WAIT_S = 10.0
_PORTS_TO_PICK = range(20000, 32000)
"""Where a free port is looked for: below the ephemeral ports, which the kernel hands out, also to the lab."""


class Subject(Protocol):
    """What a stack measures."""

    watch_toml: bytes
    """The watch's text; the stack signs it."""
    advice: str
    """What is printed at the start."""

    def agree(self, directory: Path, accepted: str, say: Callable[[str], None]) -> None:
        """Ask whoever starts it to agree to what it does. Writes nothing. Raises UserError when they don't agree.

        `accepted` is the version of the text that was agreed to on the command line, "" for none; `say` shows a text.
        """

    def prepare(self, directory: Path) -> Sequence[str]:
        """Create the probes' keys under `directory` and return their ids."""

    def processes(self, directory: Path, *, nats_url: str, operator: str, signed_watch: Path) -> list[StackProcess]:
        """The processes that measure, in the order in which they start."""

    def spools(self, directory: Path) -> list[Path]:
        """The spools of all probes."""

    def truth(self) -> dict[str, ProviderTruth]:
        """What really happened, by provider; empty where that isn't known."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports on loopback. 0 picks a free port; None for the dashboard means that it isn't started."""

    api: int
    dashboard: int | None


class Stack:
    """The running stack of one data directory."""

    def __init__(self, data_directory: DataDirectory, subject: Subject, ports: Ports) -> None:
        self._subject = subject
        self._directory = data_directory.path.absolute()
        self.watch = watch_file.read(subject.watch_toml, "the watch")
        self._ports = Ports(
            _free("--api-port", ports.api),
            None if ports.dashboard is None else _free("--dashboard-port", ports.dashboard),
        )
        self.api = f"http://127.0.0.1:{self._ports.api}"
        self.dashboard = None if self._ports.dashboard is None else f"http://127.0.0.1:{self._ports.dashboard}"
        self._supervisor = Supervisor(self._directory)
        self._measuring: list[StackProcess] = []
        self._store = f"chdb://{self._directory / 'store'}"

    def start(self) -> None:
        """Start everything. Raises UserError when a process doesn't become ready."""
        ended = self._supervisor.clear_leftovers()
        if ended:
            log.warning("ended processes that an earlier start left running", processes=ended)
        d = self._directory
        operator = Key.load_or_create(d / "operator.key", "operator")
        aggregator = Key.load_or_create(d / "aggregator.key", "user")
        signed = d / "watch.signed"
        signed.write_bytes(watch_file.sign(self._subject.watch_toml, operator))
        probes = self._subject.prepare(d)

        broker, broker_url = self._start_broker(core_user=aggregator.id, probes=probes)
        log.debug("nats-server listens", url=broker_url, pid=broker.popen.pid if broker.popen else None)
        self._measuring = self._subject.processes(d, nats_url=broker_url, operator=operator.id, signed_watch=signed)
        serving = [self._aggregator(broker_url), *self._dashboard()]
        for process in self._measuring:  # first, so that nothing is missed while the rest starts
            self._supervisor.start(process)
            self._supervisor.wait_ready(process)
        for process in serving:
            self._supervisor.start(process)
        for process in serving:
            self._supervisor.wait_ready(process)

    def keep_running(self, seconds: float | None) -> None:
        """Restart every process that ends, for that long or until interrupted."""
        until = None if seconds is None else time.monotonic() + seconds
        while until is None or time.monotonic() < until:
            self._supervisor.revive()
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop everything, the probes first so that they can deliver what they still hold."""
        for process in reversed(self._measuring):
            self._supervisor.stop(process)
        self._supervisor.stop_all()

    def finish(self) -> Report:
        """Stop the probes, wait until the answers have settled, stop the rest, and return the report."""
        for process in reversed(self._measuring):
            self._supervisor.stop(process)
        answers = self._settled_answers()
        self.stop()
        truth = self._subject.truth()
        return Report(
            watch=self.watch.id,
            cadence_s=self.watch.cadence_s,
            providers=tuple(
                ProviderResult(provider=e["provider"], truth=truth.get(e["provider"]), answer=answer_of(e))
                for e in answers
            ),
            custody=self._custody(),
            api=self.api,
            dashboard=self.dashboard,
        )

    def _start_broker(self, *, core_user: str, probes: Sequence[str]) -> tuple[StackProcess, str]:
        config = nats_server.write_config(
            self._directory / "nats", core_users=[core_user], probes=probes, port=_free("nats", 0)
        )
        broker = StackProcess(name="nats-server", command=lambda: nats_server.command(config))
        broker.ready = lambda: nats_server.read_ports(config, broker.popen.pid) if broker.popen else None
        self._supervisor.start(broker)
        return broker, str(self._supervisor.wait_ready(broker)["nats"])

    def _aggregator(self, broker_url: str) -> StackProcess:
        d = self._directory
        command = [
            *blockonset("aggregator", "run"),
            *("--nats", broker_url, "--store", self._store),
            *("--watch", str(d / "watch.signed"), "--key", str(d / "aggregator.key")),
            *("--operator-key", str(d / "operator.key"), "--api-port", str(self._ports.api)),
        ]
        return StackProcess(name="aggregator", command=lambda: command, nice=5)

    def _dashboard(self) -> list[StackProcess]:
        if self._ports.dashboard is None:
            return []
        command = [*blockonset("dashboard"), "--api", self.api, "--port", str(self._ports.dashboard)]
        return [StackProcess(name="dashboard", command=lambda: command, nice=10)]

    def _settled_answers(self) -> list[dict[str, Any]]:
        """The providers' entries once they have stopped changing, or after a bounded wait."""
        deadline, previous = time.monotonic() + _API_WAIT_S, ""
        while True:
            entries = _get(f"{self.api}/v1/watches/{self.watch.id}/onsets")["providers"]
            current = json.dumps([e["answer"] for e in entries], sort_keys=True)
            if current == previous or time.monotonic() > deadline:
                return list(entries)
            previous = current
            time.sleep(max(2.5, self.watch.cadence_s) if self.watch.cadence_s < _API_WAIT_S else 0.5)

    def _custody(self) -> CustodyBalance:
        """The balance by segment id: what the probes' spools list as sealed against what the store holds."""
        sealed: dict[str, int] = {}
        for path in self._subject.spools(self._directory):
            sealed |= {row.segment_id: row.measurements for row in read_ledger(path)}
        with contextlib.closing(Store.open(self._store)) as store:
            stored = {row["segment_id"]: row["measurements"] for row in store.read("custody_stored")}
            rejected = {row["segment_id"] for row in store.read("custody_rejected")}
        spooled = sealed.keys() - stored.keys() - rejected
        return CustodyBalance(
            sealed=sum(sealed.values()),
            stored=sum(stored.values()),
            rejected=sum(n for i, n in sealed.items() if i in rejected),
            spooled=sum(sealed[i] for i in spooled),
        )


def _free(option: str, port: int) -> int:
    """The port itself if it is free, or a free one for 0. Raises UserError that names the option and the port."""
    if port:
        _check_free(option, port)
        return port
    while True:
        chosen = random.choice(_PORTS_TO_PICK)  # noqa: S311 - no secret
        with contextlib.suppress(UserError):
            _check_free(option, chosen)
            return chosen


def _check_free(option: str, port: int) -> None:
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as e:
            reason = e.strerror if isinstance(e, OSError) else "a port is at most 65535"
            raise UserError(f"{option} {port}: {reason}. Choose another port, or 0 for any free one.") from e


def _get(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - our own API on loopback
            return json.load(response)
    except (urllib.error.URLError, TimeoutError, ValueError) as e:
        raise UserError(f"the API at {url} did not answer: {e}") from e

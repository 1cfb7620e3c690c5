"""One machine's stack: which processes there are, in which order they start and end, and what they say at the end.

What is watched is a `Subject`: a lab scenario (its country and its fleet) or a real watch (one probe on this machine).
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
_PICKED = range(20000, 32000)
"""Where free ports are looked for: below those that kernels hand out by themselves, as they do to the lab."""


class Subject(Protocol):
    """What a stack measures."""

    watch_toml: bytes
    """The watch's text; the stack signs it."""
    advice: str
    """What to tell whoever started it."""

    def agree(self, directory: Path, accepted: str, say: Callable[[str], None]) -> None:
        """Have whoever starts it agree to what it does. Writes nothing. Raises UserError when they don't."""

    def prepare(self, directory: Path) -> Sequence[str]:
        """Make the probes' keys under `directory` and return their ids."""

    def parts(self, directory: Path, *, nats_url: str, operator: str, signed_watch: Path) -> list[StackProcess]:
        """The processes that measure, in the order of their start."""

    def spools(self, directory: Path) -> list[Path]:
        """The spools of all probes."""

    def truth(self) -> dict[str, ProviderTruth]:
        """What really happened, by provider; empty where nobody knows."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the stack listens on loopback; 0 picks a free port, None leaves the dashboard out."""

    api: int
    dashboard: int | None


class Stack:
    """The running stack of one data directory."""

    def __init__(self, place: DataDirectory, subject: Subject, ports: Ports) -> None:
        self._place = place
        self._subject = subject
        self._directory = place.path.absolute()
        self.watch = watch_file.read(subject.watch_toml, "the watch")
        self._ports = Ports(
            _free("--api-port", ports.api),
            None if ports.dashboard is None else _free("--dashboard-port", ports.dashboard),
        )
        self.api = f"http://127.0.0.1:{self._ports.api}"
        self.dashboard = None if self._ports.dashboard is None else f"http://127.0.0.1:{self._ports.dashboard}"
        self.processes = Supervisor(self._directory)
        self._measuring: list[StackProcess] = []
        self._store = f"chdb://{self._directory / 'store'}"

    def start(self) -> None:
        """Start everything. Raises UserError when a part doesn't come up."""
        left = self.processes.clear_leftovers()
        if left:
            log.warning("ended what an earlier start left running", parts=left)
        d = self._directory
        operator = Key.load_or_create(d / "operator.key", "operator")
        aggregator = Key.load_or_create(d / "aggregator.key", "user")
        signed = d / "watch.signed"
        signed.write_bytes(watch_file.sign(self._subject.watch_toml, operator))
        probes = self._subject.prepare(d)

        broker, broker_url = self._start_broker(core_user=aggregator.id, probes=probes)
        log.debug("nats-server listens", url=broker_url, pid=broker.process.pid if broker.process else None)
        self._measuring = self._subject.parts(d, nats_url=broker_url, operator=operator.id, signed_watch=signed)
        collector = self._aggregator(broker_url)
        page = self._dashboard()
        for part in (*self._measuring, collector, *page):
            self.processes.start(part)
            if part in self._measuring:
                self.processes.wait_ready(part)  # probes measure first: nothing is missed while the rest starts
        for part in (collector, *page):
            self.processes.wait_ready(part)

    def tend(self, seconds: float | None) -> None:
        """Keep every part running, for that long or until interrupted."""
        until = None if seconds is None else time.monotonic() + seconds
        while until is None or time.monotonic() < until:
            self.processes.revive()
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop everything, the probes first, so that they can still deliver what they hold."""
        for part in reversed(self._measuring):
            self.processes.stop(part)
        self.processes.stop_all()

    def finish(self) -> Report:
        """Stop measuring, let everything arrive and be answered, stop the rest, and report."""
        for part in reversed(self._measuring):
            self.processes.stop(part)
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
        part = StackProcess(name="nats-server", command=lambda: nats_server.command(config))
        part.ready = lambda: nats_server.read_ports(config, part.process.pid) if part.process else None
        self.processes.start(part)
        return part, str(self.processes.wait_ready(part)["nats"])

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
        """The answers once they have stopped changing, or after a bounded wait."""
        deadline, before = time.monotonic() + _API_WAIT_S, ""
        while True:
            found = _get(f"{self.api}/v1/watches/{self.watch.id}/onsets")["providers"]
            now = json.dumps([e["answer"] for e in found], sort_keys=True)
            if now == before or time.monotonic() > deadline:
                return list(found)
            before = now
            time.sleep(max(2.5, self.watch.cadence_s) if self.watch.cadence_s < _API_WAIT_S else 0.5)

    def _custody(self) -> CustodyBalance:
        """The balance by segment id: what the probes say they sealed against what the store says it has."""
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
    """The port itself if nobody has it, or a free one for 0. Raises UserError naming option and port."""
    if port:
        _try(option, port)
        return port
    while True:
        chosen = random.choice(_PICKED)  # noqa: S311 - no secret
        with contextlib.suppress(UserError):
            _try(option, chosen)
            return chosen


def _try(option: str, port: int) -> None:
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as e:
            reason = e.strerror if isinstance(e, OSError) else "ports end at 65535"
            raise UserError(f"{option} {port}: {reason}. Choose another, or 0 for any free one.") from e


def _get(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - our own API on loopback
            return json.load(response)
    except (urllib.error.URLError, TimeoutError, ValueError) as e:
        raise UserError(f"the API at {url} did not answer: {e}") from e

"""The processes of one machine's stack: started, watched, restarted, and all of them ended.

Every process is written down (pid and the kernel's start time of it) before anything else is done with it, so that
after a kill -9 of the parent the next start can end exactly those, and no other process that got the same number.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil
import structlog

from infra.child import as_child
from probe.base.errors import UserError

log = structlog.get_logger()
_RESTARTS_PER_MINUTE = 5
_LOG_LIMIT = 10 * 2**20
_SAME_START_S = 2.0
"""Start times are counted from the boot, whose time the kernel tells in whole seconds and anew when a clock is set."""


class _RecordedProcess(msgspec.Struct, frozen=True):
    """One process as it is written down."""

    name: str
    pid: int
    started: float


@dataclass(kw_only=True)
class StackProcess:
    """One process of the stack.

    `command` is asked anew at every start. A part that says when it is ready prints one JSON object as its first
    line on stdout; `ready` reads something else instead (it returns None while not ready).
    """

    name: str
    command: Callable[[], list[str]]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], dict[str, object] | None] | None = None
    ready_within_s: float = 60.0
    stop_within_s: float = 15.0
    stop_signal: int = signal.SIGTERM
    nice: int = 0
    """How far it stands back for the others: a probe that has to wait for a processor measures the wait."""
    process: subprocess.Popen[bytes] | None = None
    starts: deque[float] = field(default_factory=lambda: deque(maxlen=_RESTARTS_PER_MINUTE + 1))


class Supervisor:
    """The processes of one data directory. Not for use from several threads."""

    def __init__(self, directory: Path) -> None:
        self._record = directory / "processes.json"
        self._logs = directory / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)
        self._parts: list[StackProcess] = []

    def clear_leftovers(self) -> list[str]:
        """End what an earlier start left running, and return the names of those."""
        if not self._record.exists():
            return []
        try:
            recorded = msgspec.json.decode(self._record.read_bytes(), type=list[_RecordedProcess])
        except msgspec.DecodeError:
            recorded = []
        alive = [(r.name, p) for r in recorded if (p := _same_process(r)) is not None]
        for _, process in alive:
            process.terminate()
        _, stubborn = psutil.wait_procs([p for _, p in alive], timeout=10)
        for process in stubborn:
            process.kill()
        psutil.wait_procs(stubborn, timeout=5)
        self._record.unlink()
        return [name for name, _ in alive]

    def start(self, part: StackProcess) -> None:
        """Start a part in a session of its own, its stderr going to `logs/<name>.log`."""
        out, err = self._output(part), self._log(part)
        if err.exists() and err.stat().st_size > _LOG_LIMIT:
            err.replace(err.with_suffix(".log.1"))
        with out.open("wb") as stdout, err.open("ab") as stderr:
            part.process = subprocess.Popen(
                part.command(),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, **part.environment},
                start_new_session=True,  # the terminal's Ctrl-C reaches the parent alone, which ends all in order
                preexec_fn=as_child(part.nice),  # noqa: PLW1509 - two system calls; no threads run yet
            )
        part.starts.append(time.monotonic())
        if part not in self._parts:
            self._parts.append(part)
        self._write_record()

    def wait_ready(self, part: StackProcess) -> dict[str, object]:
        """Wait until the part says it is ready and return what it said.

        Raises UserError, with the part's last words, when it ends first or takes too long.
        """
        deadline = time.monotonic() + part.ready_within_s
        while time.monotonic() < deadline:
            said = part.ready() if part.ready else self._first_line(part)
            if said is not None:
                return said
            if part.process is None or part.process.poll() is not None:
                raise UserError(f"{part.name} ended while starting: {self.last_words(part)}")
            time.sleep(0.05)
        raise UserError(
            f"{part.name} was not ready within {part.ready_within_s:.0f} s: {self.last_words(part)} "
            f"(its log: {self._log(part)})"
        )

    def revive(self) -> list[str]:
        """Restart every part that ended by itself, and return the names of those.

        Raises UserError when one ends again and again.
        """
        revived = []
        for part in self._parts:
            if part.process is None or part.process.poll() is None:
                continue
            if len(part.starts) > _RESTARTS_PER_MINUTE and part.starts[-1] - part.starts[0] < 60:
                raise UserError(f"{part.name} keeps ending: {self.last_words(part)} (its log: {self._log(part)})")
            log.warning("a part ended and is started again", part=part.name, code=part.process.returncode)
            self.start(part)
            revived.append(part.name)
        return revived

    def stop(self, part: StackProcess) -> None:
        """Ask a part to end, and kill it when it doesn't in its time."""
        process, part.process = part.process, None
        if part in self._parts:
            self._parts.remove(part)
        if process is not None and process.poll() is None:
            process.send_signal(part.stop_signal)
            try:
                process.wait(part.stop_within_s)
            except subprocess.TimeoutExpired:
                log.warning("a part did not end in time and is killed", part=part.name)
                process.kill()
                process.wait()
        self._write_record()

    def stop_all(self) -> None:
        """Stop every part, the last started first."""
        for part in reversed(self._parts.copy()):
            self.stop(part)

    def last_words(self, part: StackProcess) -> str:
        """The last line of the part's log."""
        try:
            lines = self._log(part).read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "it said nothing"

    def _first_line(self, part: StackProcess) -> dict[str, object] | None:
        text = self._output(part).read_text()
        if "\n" not in text:
            return None
        try:
            said = json.loads(text.split("\n", 1)[0])
        except ValueError:
            return None
        return said if isinstance(said, dict) else None

    def _output(self, part: StackProcess) -> Path:
        return self._logs / f"{part.name}.out"

    def _log(self, part: StackProcess) -> Path:
        return self._logs / f"{part.name}.log"

    def _write_record(self) -> None:
        recorded = [_recorded(p.name, p.process.pid) for p in self._parts if p.process is not None]
        draft = self._record.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode([r for r in recorded if r is not None]))
        draft.replace(self._record)


def _recorded(name: str, pid: int) -> _RecordedProcess | None:
    try:
        return _RecordedProcess(name, pid, psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def _same_process(recorded: _RecordedProcess) -> psutil.Process | None:
    """The recorded process if it still runs; None when it ended, even if its number is in use again."""
    try:
        process = psutil.Process(recorded.pid)
        same = abs(process.create_time() - recorded.started) < _SAME_START_S
        same = same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return process if same else None

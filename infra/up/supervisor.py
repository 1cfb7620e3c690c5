"""The processes of one machine's stack: start, watch, restart and end them.

Every process is recorded (its pid and the start time that the kernel gives) as soon as it runs, so that after a
kill -9 of the parent the next start can end exactly these processes, and none that got the same pid since.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil
import structlog

from infra.child import as_child, end, last_line
from probe.base import private_file
from probe.base.errors import UserError

log = structlog.get_logger()
_RESTARTS_PER_MINUTE = 5
_LOG_LIMIT = 10 * 2**20
_SAME_START_S = 2.0
"""Tolerance for comparing start times. They are counted from the boot time, which the kernel gives in whole seconds
and recomputes when the clock is set."""


class _RecordedProcess(msgspec.Struct, frozen=True):
    """One process in the record file."""

    name: str
    pid: int
    started: float


@dataclass(kw_only=True)
class StackProcess:
    """One process of the stack.

    `command` is called at every start and returns the command line. A process is ready when it has printed one JSON
    object as its first line on stdout, or, where `ready` is given, when that returns anything but None.
    """

    name: str
    command: Callable[[], list[str]]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], dict[str, object] | None] | None = None
    ready_within_s: float = 60.0
    stop_within_s: float = 15.0
    nice: int = 0
    """Added to its niceness. Probes keep 0: time that a probe waits for a processor would count as network delay."""
    popen: subprocess.Popen[bytes] | None = None
    starts: deque[float] = field(default_factory=lambda: deque(maxlen=_RESTARTS_PER_MINUTE + 1))


class Supervisor:
    """Runs the processes of one data directory. Not safe for use from several threads."""

    def __init__(self, directory: Path) -> None:
        self._record = directory / "processes.json"
        self._logs = directory / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)
        self._processes: list[StackProcess] = []

    def clear_leftovers(self) -> list[str]:
        """End the processes that an earlier start left running, and return their names."""
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

    def start(self, process: StackProcess) -> None:
        """Start a process in a session of its own, with its stderr appended to `logs/<name>.log`."""
        log_file = self._log(process)
        if log_file.exists() and log_file.stat().st_size > _LOG_LIMIT:
            log_file.replace(log_file.with_suffix(".log.1"))
        with self._output(process).open("wb") as stdout, log_file.open("ab") as stderr:
            process.popen = subprocess.Popen(
                process.command(),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, **process.environment},
                start_new_session=True,  # so that Ctrl-C reaches only the parent, which ends the processes in order
                preexec_fn=as_child(process.nice),  # noqa: PLW1509 - two system calls; no threads run yet
            )
        process.starts.append(time.monotonic())
        if process not in self._processes:
            self._processes.append(process)
        self._write_record()

    def wait_ready(self, process: StackProcess) -> dict[str, object]:
        """Wait until the process is ready, and return the JSON object that it printed (or what its `ready` returned).

        Raises UserError, with the last line of its log, when it ends first or takes too long.
        """
        deadline = time.monotonic() + process.ready_within_s
        while time.monotonic() < deadline:
            answer = process.ready() if process.ready else self._first_line(process)
            if answer is not None:
                return answer
            if process.popen is None or process.popen.poll() is not None:
                raise UserError(f"{process.name} ended while starting: {self.last_log_line(process)}")
            time.sleep(0.05)
        raise UserError(
            f"{process.name} was not ready within {process.ready_within_s:.0f} s: {self.last_log_line(process)} "
            f"(log: {self._log(process)})"
        )

    def revive(self) -> list[str]:
        """Restart every process that ended by itself, and return the names of those.

        Raises UserError when one ends again after five restarts within a minute.
        """
        revived = []
        for process in self._processes:
            if process.popen is None or process.popen.poll() is None:
                continue
            if len(process.starts) > _RESTARTS_PER_MINUTE and process.starts[-1] - process.starts[0] < 60:
                raise UserError(
                    f"{process.name} keeps ending: {self.last_log_line(process)} (log: {self._log(process)})"
                )
            log.warning("a process ended and is restarted", process=process.name, code=process.popen.returncode)
            self.start(process)
            revived.append(process.name)
        return revived

    def stop(self, process: StackProcess) -> None:
        """Ask a process to end, and kill it when it doesn't within its `stop_within_s`."""
        popen, process.popen = process.popen, None
        if process in self._processes:
            self._processes.remove(process)
        if popen is not None and popen.poll() is None and not end(popen, process.stop_within_s):
            log.warning("a process did not end in time and was killed", process=process.name)
        self._write_record()

    def stop_all(self) -> None:
        """Stop every process, the last started first."""
        for process in reversed(self._processes.copy()):
            self.stop(process)

    def last_log_line(self, process: StackProcess) -> str:
        """The last line of the process's log."""
        return last_line(self._log(process))

    def _first_line(self, process: StackProcess) -> dict[str, object] | None:
        text = self._output(process).read_text()
        if "\n" not in text:
            return None
        try:
            answer = json.loads(text.split("\n", 1)[0])
        except ValueError:
            return None
        return answer if isinstance(answer, dict) else None

    def _output(self, process: StackProcess) -> Path:
        return self._logs / f"{process.name}.out"

    def _log(self, process: StackProcess) -> Path:
        return self._logs / f"{process.name}.log"

    def _write_record(self) -> None:
        recorded = [_recorded(p.name, p.popen.pid) for p in self._processes if p.popen is not None]
        private_file.replace(self._record, msgspec.json.encode([r for r in recorded if r is not None]))


def _recorded(name: str, pid: int) -> _RecordedProcess | None:
    try:
        return _RecordedProcess(name, pid, psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def _same_process(recorded: _RecordedProcess) -> psutil.Process | None:
    """The recorded process if it still runs; None when it ended, even if its pid is in use again."""
    try:
        process = psutil.Process(recorded.pid)
        same = abs(process.create_time() - recorded.started) < _SAME_START_S
        same = same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return process if same else None

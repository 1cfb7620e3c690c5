"""Starts a process for each piece of a probe's work, and carries what one process leaves over to the next."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Self

import msgspec
import structlog

from probe.agent.messages import (
    NOTHING,
    STOP,
    ProbeDescription,
    Refusal,
    WorkerMessage,
    WorkOrder,
    WorkReport,
    line,
)
from probe.base.errors import UserError
from probe.base.process import EXIT_BUG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from probe.agent.messages import ProbeFacts
    from probe.base.lock import FileLock
    from probe.custody.visit_schedule import VisitSchedule

log = structlog.get_logger()
SILENT_S = 60.0
"""A worker that writes nothing for so long hangs, and is killed."""
STOP_S = 10.0
"""Time beyond `flush_s` in which a worker that was told to stop must end. On a slow machine starting takes seconds."""
_END_S = 5.0
"""Time for a worker to end after its last message."""
_LONGEST_LINE = 1 << 24


class DescriptionError(UserError):
    """The worker that was to read the configuration failed. The message or what it printed says why."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def command(file: Path | None) -> list[str]:
    """The command line of a worker, for a configuration file or for the environment alone (None)."""
    return [sys.executable, "-m", "probe.agent.worker_process", *([str(file)] if file else [])]


class ChildWorker:
    """Does a probe's work in child processes, one at a time.

    What one of them leaves for the next is kept in this process's memory only.
    """

    def __init__(self, command: Sequence[str], probe: ProbeDescription) -> None:
        """`command` is the workers' command line, `probe` what `describe` returned."""
        self._command = tuple(command)
        self._probe = probe
        self._memory = NOTHING
        self._lock: FileLock | None = None
        self.visits: VisitSchedule | None = probe.visits
        self.has_waiting = True

    @classmethod
    def describe(cls, command: Sequence[str]) -> Self:
        """Have a worker read the configuration. Raises UserError, as the worker reported it."""
        try:
            done = subprocess.run(
                command, input=line(WorkOrder()), stdout=subprocess.PIPE, env=_environment(), check=False
            )
        except OSError as e:
            raise UserError(f"{command[0]}: a process can't be started: {e.strerror}") from e
        match _decoded(done.stdout):
            case ProbeDescription() as probe:
                return cls(command, probe)
            case Refusal(message=message, code=code):
                raise DescriptionError(message, code)
        raise DescriptionError(f"the process that reads the configuration ended with code {done.returncode}", EXIT_BUG)

    @property
    def facts(self) -> ProbeFacts:
        """What the agent needs to know about the probe."""
        return self._probe.facts

    @contextlib.asynccontextmanager
    async def opened(self, lock: FileLock, /) -> AsyncIterator[None]:
        """Let workers inherit the lock, so that it is free only when this process and its worker have ended."""
        self._lock = lock
        try:
            yield
        finally:
            self._lock = None

    async def work(self, stop: asyncio.Event, *, measure: bool) -> bool:
        """Have a worker make a run if `measure` is set, and a visit if one is due; end it with a last visit on `stop`.

        A worker that fails costs this run and no other. Returns whether the last visit was made.
        """
        assert self._lock
        descriptor = self._lock.fileno()
        order = WorkOrder(
            settings=self._probe.settings,
            memory=self._memory,
            visits=self.visits,
            measure=measure,
            lock_descriptor=descriptor,
        )
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                limit=_LONGEST_LINE,
                pass_fds=(descriptor,),
                start_new_session=True,  # Ctrl-C reaches the agent alone
                env=_environment(),
            )
        except OSError as e:
            log.error("a worker can't be started; the next run is tried as scheduled", error=e.strerror)  # noqa: TRY400
            self._postpone_visit()
            return False
        self._note_pids(process.pid)
        stopping = asyncio.create_task(self._pass_on(stop, process))
        try:
            last = await self._supervise(process, order)
        finally:
            stopping.cancel()
            await asyncio.gather(stopping, return_exceptions=True)
            await _end(process)
            self._note_pids()
        match last:
            case WorkReport(is_final=True, made_last_visit=made_last_visit):
                return made_last_visit
            case Refusal(message=message):
                log.error("a worker failed; the next run is made as scheduled", error=message)
            case _:
                log.error("a worker ended early; the next run is made as scheduled", code=process.returncode)
        self._postpone_visit()
        return False

    async def _supervise(self, process: asyncio.subprocess.Process, order: WorkOrder) -> WorkReport | Refusal | None:
        """Give a worker its order and take in what it reports. Returns the last report, None if there was none."""
        assert process.stdin
        with contextlib.suppress(ConnectionError):  # it has ended already, which is noticed below
            process.stdin.write(line(order))
            await process.stdin.drain()
        last: WorkReport | Refusal | None = None
        while raw := await _next_line(process):
            match _decoded(raw):
                case WorkReport() as report:
                    self._take(report)
                    last = report
                case Refusal() as refusal:
                    last = refusal
        return last

    def _take(self, report: WorkReport) -> None:
        self._memory, self.visits, self.has_waiting = report.memory, report.visits, report.has_waiting
        if report.renewed:
            self._probe = report.renewed

    def _postpone_visit(self) -> None:
        """Count a visit that was due as failed, so that a worker that fails in it is not started over and over."""
        if self.visits and self.visits.due_s <= time.monotonic():
            self.visits = self.visits.after_visit(failed=True)

    async def _pass_on(self, stop: asyncio.Event, process: asyncio.subprocess.Process) -> None:
        """Tell the worker when the probe stops, and kill it if it does not end then."""
        await stop.wait()
        assert process.stdin
        process.stdin.write(STOP)
        await asyncio.sleep(self.facts.flush_s + STOP_S)
        log.error("a worker did not end in time and was killed")
        _kill(process)

    def _note_pids(self, *workers: int) -> None:
        """Write this process's id and the worker's into the lock's file, for `panic`."""
        assert self._lock
        with contextlib.suppress(OSError):  # a full disk
            self._lock.write_note(" ".join(map(str, (os.getpid(), *workers))))


async def _next_line(process: asyncio.subprocess.Process) -> bytes:
    """The worker's next line; b"" when it has ended, or was killed because it hangs."""
    assert process.stdout
    try:
        async with asyncio.timeout(SILENT_S):
            return await process.stdout.readline()
    except TimeoutError:
        log.error("a worker gave no sign of life and was killed", seconds=SILENT_S)  # noqa: TRY400 - says it all
        _kill(process)
        return b""


async def _end(process: asyncio.subprocess.Process) -> None:
    """Wait until a worker has ended, and kill it if that takes too long or this task is cancelled."""
    try:
        async with asyncio.timeout(_END_S):
            await process.wait()
    except TimeoutError:
        log.error("a worker did not end after its work and was killed")  # noqa: TRY400 - says it all
    finally:
        _kill(process)
        await process.wait()
        assert process.stdin
        process.stdin.close()


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()


def _decoded(raw: bytes) -> WorkerMessage | None:
    """The message in a line; None for anything else."""
    try:
        message: WorkerMessage = msgspec.json.decode(raw, type=WorkerMessage)
    except msgspec.DecodeError:
        return None
    return message


def _environment() -> dict[str, str]:
    """A worker's environment: this process's, without what is meant for the service's main process alone."""
    ours = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
    return {name: value for name, value in os.environ.items() if name not in ours}

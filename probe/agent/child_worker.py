"""Does a probe's work in child processes, and carries what one of them leaves over to the next."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Self

import structlog

from probe.agent.child_process import ChildProcess, decoded, environment
from probe.agent.messages import NOTHING, STOP, ProbeDescription, WorkerFailure, WorkOrder, WorkReport, line
from probe.base.errors import UserError
from probe.base.process import EXIT_BUG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from probe.agent.messages import ProbeFacts
    from probe.base.lock import FileLock
    from probe.custody.visit_schedule import VisitSchedule

log = structlog.get_logger()
STOP_S = 10.0
"""Time beyond `flush_s` in which a worker that was told to stop must end. On a slow machine starting takes seconds."""


class DescriptionError(UserError):
    """The worker that was to read the configuration failed. `code` is the exit code that it wants."""

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
        """`command` is the workers' command line, `probe` what a worker answered to an order without settings."""
        self._command = tuple(command)
        self._probe = probe
        self._memory = NOTHING
        self._lock: FileLock | None = None
        self.visits: VisitSchedule | None = probe.visits
        self.has_waiting = True

    @classmethod
    def describe(cls, command: Sequence[str]) -> Self:
        """Have a worker read the configuration. Raises UserError, as the worker reported it."""
        order = line(WorkOrder())
        try:
            done = subprocess.run(command, input=order, stdout=subprocess.PIPE, env=environment(), check=False)
        except OSError as e:
            raise UserError(f"{command[0]}: a process can't be started: {e.strerror}") from e
        match decoded(done.stdout):
            case ProbeDescription() as probe:
                return cls(command, probe)
            case WorkerFailure(message=message, code=code):
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
        try:
            process = await ChildProcess.start(self._command, self._lock.fileno())
        except OSError as e:
            log.error("a worker can't be started; the next run is tried as scheduled", error=e.strerror)  # noqa: TRY400
            self._postpone_visit()
            return False
        self._note_pids(process.pid)
        stopping = asyncio.create_task(self._pass_on(stop, process))
        try:
            last = await self._supervise(process, measure=measure)
        except BaseException:  # a cancelled agent leaves no worker behind
            process.kill()
            raise
        finally:
            stopping.cancel()
            await asyncio.gather(stopping, return_exceptions=True)
            await process.end()
            self._note_pids()
        match last:
            case WorkReport(is_final=True, made_last_visit=made_last_visit):
                return made_last_visit
            case WorkerFailure(message=message):
                log.error("a worker failed; the next run is made as scheduled", error=message)
            case _:
                log.error("a worker ended early; the next run is made as scheduled", code=process.code)
        self._postpone_visit()
        return False

    async def _supervise(self, process: ChildProcess, *, measure: bool) -> WorkReport | WorkerFailure | None:
        """Give a worker its order and take in what it reports. Returns the last report, None if there was none."""
        assert self._lock
        order = WorkOrder(
            settings=self._probe.settings,
            memory=self._memory,
            visits=self.visits,
            measure=measure,
            lock_descriptor=self._lock.fileno(),
        )
        last: WorkReport | WorkerFailure | None = None
        await process.write(line(order))
        async for message in process.messages():
            match message:
                case WorkReport():
                    self._take(message)
                    last = message
                case WorkerFailure():
                    last = message
        return last

    def _take(self, report: WorkReport) -> None:
        self._memory, self.visits, self.has_waiting = report.memory, report.visits, report.has_waiting
        if report.renewed:
            self._probe = report.renewed

    def _postpone_visit(self) -> None:
        """Count a visit that was due as failed, so that a worker that fails in it is not started over and over."""
        if self.visits and self.visits.due_s <= time.monotonic():
            self.visits = self.visits.after_visit(failed=True)

    async def _pass_on(self, stop: asyncio.Event, process: ChildProcess) -> None:
        """Tell the worker when the probe stops, and kill it if it does not end then."""
        await stop.wait()
        await process.write(STOP)
        await asyncio.sleep(self.facts.flush_s + STOP_S)
        log.error("a worker did not end in time and was killed")
        process.kill()

    def _note_pids(self, *workers: int) -> None:
        """Write this process's id and the worker's into the lock's file, for `panic`."""
        assert self._lock
        with contextlib.suppress(OSError):  # a full disk
            self._lock.write_note(" ".join(map(str, (os.getpid(), *workers))))

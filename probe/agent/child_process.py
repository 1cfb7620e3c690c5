"""A worker as a child process: start it, write to it, read its messages, and make sure that it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from typing import TYPE_CHECKING, Self

import msgspec
import structlog

from probe.agent.messages import WorkerMessage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

log = structlog.get_logger()
SILENT_S = 60.0
"""A worker that writes nothing for so long hangs, and is killed."""
_END_S = 5.0
"""Time for a worker to end after its last message."""
_LONGEST_LINE = 1 << 24
_SERVICE_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""What systemd means for the service's main process alone."""


class ChildProcess:
    """A running worker."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    @classmethod
    async def start(cls, command: Sequence[str], descriptor: int) -> Self:
        """Start a worker that inherits an open file. It has a session of its own, so that Ctrl-C does not reach it.

        Raises OSError.
        """
        return cls(
            await asyncio.create_subprocess_exec(
                *command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                limit=_LONGEST_LINE,
                pass_fds=(descriptor,),
                start_new_session=True,
                env=environment(),
            )
        )

    @property
    def code(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._process.returncode

    async def write(self, raw: bytes) -> None:
        """Write to its stdin. Nothing happens if it has ended."""
        assert self._process.stdin
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(raw)
            await self._process.stdin.drain()

    async def messages(self) -> AsyncIterator[WorkerMessage]:
        """What it writes, until it ends or is killed because it is silent. Lines that are no messages are left out."""
        assert self._process.stdout
        while True:
            try:
                async with asyncio.timeout(SILENT_S):
                    raw = await self._process.stdout.readline()
            except TimeoutError:
                log.error("a worker gave no sign of life and was killed", seconds=SILENT_S)  # noqa: TRY400 - says it all
                self.kill()
                return
            if not raw:
                return
            if (message := decoded(raw)) is not None:
                yield message

    async def end(self) -> None:
        """Wait until it has ended, and kill it if that takes too long or this task is cancelled."""
        try:
            async with asyncio.timeout(_END_S):
                await self._process.wait()
        except TimeoutError:
            log.error("a worker did not end after its work and was killed")  # noqa: TRY400 - says it all
        finally:
            self.kill()
            await self._process.wait()
            assert self._process.stdin
            self._process.stdin.close()

    def kill(self) -> None:
        """Kill it, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


def decoded(raw: bytes) -> WorkerMessage | None:
    """The message in a line; None for anything else."""
    try:
        message: WorkerMessage = msgspec.json.decode(raw, type=WorkerMessage)
    except msgspec.DecodeError:
        return None
    return message


def environment() -> dict[str, str]:
    """A worker's environment: this process's, without what is meant for this process alone."""
    return {name: value for name, value in os.environ.items() if name not in _SERVICE_VARIABLES}

"""Measures how late the event loop runs: a loop that stalls makes a healthy network look blocked."""

from __future__ import annotations

import asyncio
import time
from typing import Self


class LoopLag:
    """Measures while its context is entered: `worst_ms` is the delay of the latest wake-up.

    It wakes often enough to notice a stall of a tenth of the timeout.
    """

    def __init__(self, timeout_s: float) -> None:
        self._interval = min(0.05, timeout_s / 40)
        self._task: asyncio.Task[None] | None = None
        self._woken = 0.0
        self.worst_ms = 0.0

    async def _watch(self) -> None:
        while True:
            self._woken = time.monotonic()
            await asyncio.sleep(self._interval)
            self._note()

    def _note(self) -> None:
        late = (time.monotonic() - self._woken - self._interval) * 1000
        self.worst_ms = round(max(self.worst_ms, late), 3)

    def __enter__(self) -> Self:
        self._woken = time.monotonic()
        self._task = asyncio.create_task(self._watch())
        return self

    def __exit__(self, *_: object) -> None:
        self._note()  # a stall that is still going on when the run ends
        assert self._task is not None
        self._task.cancel()

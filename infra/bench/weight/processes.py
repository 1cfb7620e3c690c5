"""What the kernel knows about a probe's processes, the agent and its worker: /proc (Linux)."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int, field: str = "VmRSS") -> float:
    """Resident memory of a process now (`VmRSS`) or at its peak (`VmHWM`), in MB of 1,000,000 bytes. Raises OSError."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields[field].split()[0]) * 1024 / 1e6 if field in fields else 0.0  # a process that ends has none


def cpu_s(pid: int) -> float:
    """Processor time that a process and its children that have ended have used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


class PeakMemory:
    """The largest resident memory of an agent and its worker together, sampled while `watch` runs.

    `together_mb` adds the worker's peak (its `VmHWM`) to what the agent takes at that moment.
    """

    def __init__(self) -> None:
        self.together_mb = 0.0
        self.worker_mb = 0.0

    async def watch(self, pid: int) -> None:
        """Sample fifty times a second, until cancelled."""
        while True:
            with contextlib.suppress(OSError):  # a worker that has just ended
                self._sample(pid)
            await asyncio.sleep(0.02)

    def _sample(self, pid: int) -> None:
        for worker in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
            peak_mb = memory_mb(int(worker), "VmHWM")
            self.worker_mb = max(self.worker_mb, peak_mb)
            self.together_mb = max(self.together_mb, memory_mb(pid) + peak_mb)

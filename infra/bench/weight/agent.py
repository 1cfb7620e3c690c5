# ruff: noqa: E402 - rich is disabled before any import could load it
"""The agent that `infra.bench.weight` measures: the shipped one in a process of its own.

    python -m infra.bench.weight.agent CONFIG MAP LINE AUTHORITY CADENCE_S SWEEP_S

Its workers are those of `infra.bench.weight.worker`, with the same arguments. This module imports nothing else of
infra or the aggregator, so that the process needs only an agent's memory.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("rich", None)  # type: ignore[arg-type] # as probe.agent.daemon does

from probe.agent import daemon
from probe.base import process


def main() -> None:
    """Run the agent until SIGTERM."""
    daemon.main(lambda _: [sys.executable, "-m", "infra.bench.weight.worker", *sys.argv[1:]])


if __name__ == "__main__":
    process.guarded(main)

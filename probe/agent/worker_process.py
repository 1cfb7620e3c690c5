# ruff: noqa: E402 - rich is disabled before any import could load it
"""A worker: a process for one run and the visit after it. `python -m probe.agent.worker_process [CONFIG]`.

Everything heavy is loaded here and freed when the process ends, and a crash in a parser ends one run and not the
probe. `probe.agent.messages` describes its stdin and stdout; stderr is the agent's.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("rich", None)  # type: ignore[arg-type] # see probe.agent.daemon

import asyncio
import contextlib
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from probe.agent import loading
from probe.agent.memory import WorkMemory
from probe.agent.messages import (
    NOTHING,
    SIGN_OF_LIFE_S,
    ProbeDescription,
    SignOfLife,
    WorkerFailure,
    WorkerMessage,
    WorkOrder,
    WorkReport,
    line,
)
from probe.agent.probe import Probe
from probe.base import core_dumps, process
from probe.base.errors import UserError
from probe.custody.spool import Spool
from probe.custody.visit_schedule import VisitSchedule
from probe.home.config import Config
from probe.net.network import Network
from probe.protocol.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable


class ProbeSettings(msgspec.Struct, frozen=True):
    """What a probe is made of, read once, so that nothing changes while the agent runs."""

    config: Config
    watch: Watch


def serve(read_settings: Callable[[], tuple[Config, Watch]], make_network: Callable[[], Network]) -> None:
    """Carry out the order on stdin. `read_settings` gives the settings if the order has none, to describe the probe.

    A UserError is reported to the agent; any other exception is a bug and is raised.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # a terminal or systemd sends them to all processes of the probe
        signal.signal(number, signal.SIG_IGN)
    core_dumps.forbid()
    agent = _AgentPipes()
    order = agent.order()
    try:
        if order.settings == NOTHING:
            config, watch = read_settings()
            probe = Probe(config, make_network(), watch)
            Spool(config.spool_file, is_locked=True).close()  # a spool that can't be used is reported at once
            agent.tell(_description(probe))
        else:
            os.set_inheritable(order.lock_descriptor, False)
            settings = msgspec.json.decode(order.settings, type=ProbeSettings)
            asyncio.run(_work(Probe(settings.config, make_network(), settings.watch), order, agent))
    except UserError as e:
        agent.tell(WorkerFailure(message=e.message, code=e.code))


class _AgentPipes:
    """Stdin and stdout, which lead to the agent. What this process prints goes to stderr from now on."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._out = os.dup(1)
        os.dup2(2, 1)
        self._in = os.fdopen(os.dup(0), "rb", buffering=0)  # sys.stdin's buffer is locked by whoever reads from it

    def order(self) -> WorkOrder:
        """The order, which is the first line of stdin."""
        return msgspec.json.decode(self._in.readline(), type=WorkOrder)

    def tell(self, message: WorkerMessage) -> None:
        """Write a message. Nobody reads it once the agent has ended."""
        raw = line(message)
        with contextlib.suppress(OSError):
            while raw:
                raw = raw[os.write(self._out, raw) :]

    def heed(self, stop: asyncio.Event) -> None:
        """Set `stop` when the agent sends a line, and end this process when the agent has ended, which closes stdin."""
        loop = asyncio.get_running_loop()

        def read() -> None:
            while self._in.readline():  # there is only one kind of line: STOP
                with contextlib.suppress(RuntimeError):  # the loop is closed, so this process ends anyway
                    loop.call_soon_threadsafe(stop.set)
            os._exit(1)

        threading.Thread(target=read, daemon=True).start()


async def _work(probe: Probe, order: WorkOrder, agent: _AgentPipes) -> None:
    stop = asyncio.Event()
    agent.heed(stop)
    living = asyncio.create_task(_show_life(agent))
    memory = msgspec.json.decode(order.memory, type=WorkMemory) if order.memory != NOTHING else None
    old_digest = probe.watch.digest
    try:
        async with probe.opened(memory=memory, visits=order.visits):
            ran = order.measure and await probe.make_run(stop)
            if ran:
                agent.tell(await _report(probe, None))
            is_last = await probe.make_visit(stop, ran=ran)
            renewed = _description(probe) if probe.watch.digest != old_digest else None
            agent.tell(await _report(probe, renewed, made_last_visit=is_last, is_final=True))
    finally:
        living.cancel()


async def _show_life(agent: _AgentPipes) -> None:
    while True:
        agent.tell(SignOfLife())
        await asyncio.sleep(SIGN_OF_LIFE_S)


def _description(probe: Probe) -> ProbeDescription:
    every_s = probe.config.deliver_every_s
    return ProbeDescription(
        facts=probe.facts,
        settings=msgspec.Raw(msgspec.json.encode(ProbeSettings(probe.config, probe.watch))),
        visits=VisitSchedule.start(every_s) if every_s else None,
    )


async def _report(
    probe: Probe, renewed: ProbeDescription | None, *, made_last_visit: bool = False, is_final: bool = False
) -> WorkReport:
    assert probe.visits
    return WorkReport(
        memory=msgspec.Raw(msgspec.json.encode(await probe.memory())),
        visits=probe.visits,
        has_waiting=probe.has_waiting,
        renewed=renewed,
        made_last_visit=made_last_visit,
        is_final=is_final,
    )


def main() -> None:
    """Carry out one order."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    serve(lambda: loading.check(file), Network)


if __name__ == "__main__":
    process.guarded(main)

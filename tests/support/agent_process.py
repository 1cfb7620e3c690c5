"""A real agent in a process of its own, whose workers measure over a network of loopback ports."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import psutil

from probe.home import files
from probe.protocol import watch_file
from probe.protocol.keys import Key
from tests.support import servers
from tests.support.factory import APP_WATCH
from tests.support.fake_collector import eventually

ROOT = Path(__file__).parents[2]
WORKER = """
import json, sys
from pathlib import Path
from probe.agent import loading, worker_process
from probe.base import process
from probe.net.network import Network
from tests.support.servers import MappedDialer
config, authority, ports, prepare = sys.argv[1:]
exec(prepare)
dialer = MappedDialer(resolver=1)
dialer.ports = {(address, 443): port for address, port in json.loads(ports).items()}
process.guarded(
    lambda: worker_process.serve(lambda: loading.check(Path(config)), lambda: Network(dialer, Path(authority)))
)
"""
AGENT = """
import json, sys
sys.modules["rich"] = None
from probe.agent import child_process, daemon, schedule
from probe.base import process
schedule.FIRST_S = 0.1
child_process.SILENT_S = float(sys.argv[3])
process.guarded(lambda: daemon.main(lambda _: json.loads(sys.argv[2])))
"""


class AgentProcess:
    """A probe's directory and configuration, and the agent that runs with them.

    `ports` maps addresses of the watch to loopback ports; the others are unreachable. `prepare` is Python code that
    each worker runs first. `settings` are keys of the configuration.
    """

    def __init__(self, folder, authority, operator, *, cadence_s=1.0, timeout_s=0.2, ports=None, **settings):
        self.home = folder / "probe"
        self.spool = self.home / files.SPOOL
        self.key = Key.load_or_create(self.home / files.KEY, "user")
        self.config = folder / "probe.toml"
        self.watch = APP_WATCH.format(cadence_s=cadence_s).replace("timeout_s = 0.2", f"timeout_s = {timeout_s}")
        (folder / "watch.signed").write_bytes(watch_file.sign(self.watch.encode(), operator))
        values = {
            "data": "probe", "watch": "watch.signed", "operator": operator.id, "nats": ["nats://127.0.0.1:1"],
            "deliver_every_s": 0.5, "receipt_wait_s": 3, "ack_timeout_s": 2, "flush_s": 2, "metered": "no",
        } | settings  # fmt: skip
        lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
        self.config.write_text("\n".join([*lines, "[vantage]", "asn = 64500", ""]))
        self.prepare = "from probe.custody import visits\nvisits.AFTER_RUN_S, visits._CONNECT_S = 0.1, 0.3"
        self.silent_s = 60.0
        self.log = folder / "probe.log"
        self.program = sys.executable
        """The Python interpreter that runs the workers."""
        self._arguments = (str(self.config), str(authority.file), json.dumps(ports or {}))

    @contextlib.contextmanager
    def started(self, **environment):
        """The running agent, after it has printed its id. It is killed at the end if it still runs."""
        worker = [str(self.program), "-c", WORKER, *self._arguments, self.prepare]
        words = [str(self.config), json.dumps(worker), str(self.silent_s)]
        with self.log.open("a") as log:
            process = psutil.Popen(
                [sys.executable, "-c", AGENT, *words],
                cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        try:
            assert json.loads(process.stdout.readline()) == {"probe": self.key.id}
            yield process
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
            process.wait()
            process.stdout.close()

    def logged(self, words):
        """The lines of the log that contain these words."""
        return [line for line in self.log.read_text().splitlines() if words in line]


@contextlib.asynccontextmanager
async def endless_run():
    """A port to map an address of the watch to, and an event that is set once a run has connected to it and waits."""
    waits = asyncio.Event()

    async def say_nothing(reader, _writer):
        waits.set()
        await reader.read()

    async with servers.tcp(say_nothing) as port:
        yield port, waits


async def only_child(process):
    """The agent's worker, once there is one."""
    return (await eventually(process.children))[0]


async def ended(process, within_s=20):
    """The exit code of a process that ends by itself."""
    return await asyncio.to_thread(process.wait, within_s)

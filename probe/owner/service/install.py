"""A user service that starts the probe at login, under systemd, launchd or Windows' Task Scheduler.

The service's definitions are templates beside this file; this module fills them in and knows each manager's commands.
Nothing needs an administrator's rights, and only `install` writes or starts anything.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from probe.base.errors import UserError
from probe.base.percent_template import PercentTemplate
from probe.base.private_file import write
from probe.home import files

_WAIT_S = 30.0
SYSTEMD, LAUNCHD, TASKS = "systemd", "launchd", "Task Scheduler"
UNIT, LABEL, TASK = "blockonset-probe.service", "org.blockonset.probe", "Blockonset probe"


class ServiceManager(NamedTuple):
    """One service manager: the file of the service's definition, and the commands that start and stop the service."""

    manager: str
    file: Path
    template: str
    start: tuple[tuple[str, ...], ...]
    stop: tuple[tuple[str, ...], ...]
    after: tuple[tuple[str, ...], ...] = ()
    """Commands to run after the file is removed."""


def service_manager(platform: str = sys.platform) -> ServiceManager | None:
    """This system's service manager, or None where there is none that is supported."""
    home = Path.home()
    if platform == "win32":
        file = Path(os.environ.get("LOCALAPPDATA") or home) / "Blockonset" / "task.xml"
        create = ("schtasks", "/Create", "/F", "/TN", TASK, "/XML", str(file))
        run, end = ("schtasks", "/Run", "/TN", TASK), ("schtasks", "/End", "/TN", TASK)
        return ServiceManager(
            TASKS, file, "windows-task.xml", (create, run), (end, ("schtasks", "/Delete", "/F", "/TN", TASK))
        )
    if platform == "darwin":
        file = home / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        domain = f"gui/{os.getuid()}"
        start = (("launchctl", "bootstrap", domain, str(file)),)
        return ServiceManager(LAUNCHD, file, "launchd.plist", start, (("launchctl", "bootout", f"{domain}/{LABEL}"),))
    if shutil.which("systemctl") is None:
        return None
    configuration = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    user, reload = ("systemctl", "--user"), ("systemctl", "--user", "daemon-reload")
    return ServiceManager(
        SYSTEMD,
        configuration / "systemd" / "user" / UNIT,
        "systemd.service",
        (reload, (*user, "enable", "--now", UNIT)),
        ((*user, "disable", "--now", UNIT),),
        (reload,),
    )


def command(config: Path) -> list[str]:
    """The command that the service runs."""
    return [sys.executable, "-m", "probe", "probe", "run", "--config", str(config)]


def definition(service: ServiceManager, config: Path) -> str:
    """The service's definition, filled in for a configuration file."""
    words = command(config)
    template = resources.files(__package__).joinpath(service.template).read_text(encoding="utf-8")
    return PercentTemplate(template).substitute(
        command=" ".join(f'"{w}"'.replace("%", "%%") if " " in w or "%" in w else w for w in words),
        arguments="".join(f"    <string>{escape(w)}</string>\n" for w in words),
        program=escape(words[0]),
        rest=escape(subprocess.list2cmdline(words[1:])),
        log=escape(str(config.parent / files.LOG)),
    )


def install(service: ServiceManager, config: Path) -> None:
    """Write the service's definition and start it.

    Raises UserError; then the definition may be there although the service does not run.
    """
    encoding = "utf-16" if service.manager == TASKS else "utf-8"
    write(service.file, definition(service, config).encode(encoding))
    for words in service.start:
        if error := _run(words):
            raise UserError(f"{shlex.join(words)}: {error}")


def remove(service: ServiceManager | None) -> tuple[str, ...]:
    """Stop the service and remove its definition, if there is one. The files that were removed; never raises."""
    if service is None or not service.file.exists():
        return ()
    for words in service.stop:
        _run(words)
    try:
        service.file.unlink()
    except OSError:
        return ()
    for words in service.after:
        _run(words)
    return (str(service.file),)


def _run(words: tuple[str, ...]) -> str:
    """Run a command. The last line of its output if it failed, otherwise ""."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_WAIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        return str(e)
    output = (done.stderr or done.stdout).strip().splitlines()
    return "" if done.returncode == 0 else (output[-1] if output else f"exit code {done.returncode}")

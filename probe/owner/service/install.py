"""A user service that starts the probe at login: systemd, launchd or Windows' Task Scheduler.

The texts stand beside this file; here is what fills them in, and which commands each manager wants. Nothing needs an
administrator's rights, and nothing is written or started but by `install`.
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
    """How one manager takes the probe: where its text goes, and the commands that start and end it."""

    manager: str
    file: Path
    template: str
    start: tuple[tuple[str, ...], ...]
    stop: tuple[tuple[str, ...], ...]
    after: tuple[tuple[str, ...], ...] = ()
    """Commands for after the file is gone."""


def here(platform: str = sys.platform) -> ServiceManager | None:
    """This system's service manager, or None where there is none that is known."""
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
    """What the service runs."""
    return [sys.executable, "-m", "probe", "probe", "run", "--config", str(config)]


def text(service: ServiceManager, config: Path) -> str:
    """The service's text, filled in."""
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
    """Write the service and start it. Raises UserError; then the text may be there and the service not run."""
    encoding = "utf-16" if service.manager == TASKS else "utf-8"
    write(service.file, text(service, config).encode(encoding))
    for words in service.start:
        if error := _run(words):
            raise UserError(f"{shlex.join(words)}: {error}")


def remove(service: ServiceManager | None) -> tuple[str, ...]:
    """Stop the service and remove its text, as far as it is there. What was removed; never raises."""
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
    """Run a command. Its last words where it failed, else ""."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_WAIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        return str(e)
    said = (done.stderr or done.stdout).strip().splitlines()
    return "" if done.returncode == 0 else (said[-1] if said else f"exit code {done.returncode}")

"""Run everything on one machine: a fictional country, or a real watch with one probe on this machine's connection."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import cyclopts
import msgspec
from cyclopts import Parameter

from aggregator.config import aggregator_variables
from infra.up import report
from infra.up.data_directory import DataDirectory, RunningUp
from infra.up.lab_subject import LabSubject
from infra.up.stack import Ports, Stack, Subject
from infra.up.watch_subject import WatchSubject
from probe.base import extras
from probe.base.console import console
from probe.base.errors import UserError
from probe.home.config import probe_variables

if TYPE_CHECKING:
    from rich.console import Console

VARIABLES = (*probe_variables(), *aggregator_variables())
"""`up` reads only one of them, and passes all of them on to the processes that it starts."""

app = cyclopts.App(name="up", help=__doc__)

START_S = 5.0
"""How long the processes take to start. A new scenario's zero time is that much later, so that none of it is missed."""


@app.default
def up(
    *,
    lab: Annotated[str | None, Parameter(help="A lab scenario's name; `blockonset lab list` shows the names.")] = None,
    watch: Annotated[Path | None, Parameter(help="A watch file: contacts real services from here.")] = None,
    data: Annotated[
        Path | None,
        Parameter(
            help="Data directory. Default: .blockonset/NAME in the current directory, NAME being the lab's or watch's."
        ),
    ] = None,
    api_port: Annotated[int, Parameter(help="The API's port; 0 picks a free one.")] = 8601,
    dashboard_port: Annotated[int, Parameter(help="The dashboard's port; 0 picks a free one.")] = 8501,
    dashboard: Annotated[bool, Parameter(help="Whether to start the dashboard.")] = True,
    for_: Annotated[
        float | None, Parameter(name="--for", help="Stop after this many seconds and print the answers.")
    ] = None,
    json: Annotated[bool, Parameter(help="With --for: print the answers as one JSON document.")] = False,
    accept_risk: Annotated[
        str,
        Parameter(
            env_var="BLOCKONSET_PROBE_ACCEPT_RISK",
            help="With --watch: the version of the consent text that you agree to.",
        ),
    ] = "",
    fresh: Annotated[bool, Parameter(help="Empty the data directory first.")] = False,
) -> None:
    """Start the whole stack and keep it running until Ctrl-C.

    Give --lab for a fictional country, or --watch for a real one. Everything is written to the data directory, which is
    printed first; the next start continues from it. With --for and without --data it is a temporary directory that is
    removed at the end.
    """
    if (lab is None) == (watch is None):
        raise UserError(
            "give either --lab NAME (a fictional country; try --lab staggered) or --watch FILE (a real one)"
        )
    if for_ is not None and not for_ > 0:
        raise UserError(f"--for {for_}: must be above 0 seconds")
    if json and for_ is None:
        raise UserError("--json prints the answers at the end of a limited run: give --for SECONDS too")
    extras.require("blockonset up", "aggregator", *(["dashboard"] if dashboard else []))
    name = lab or (watch or Path()).stem
    ports = Ports(api_port, dashboard_port if dashboard else None)
    with contextlib.ExitStack() as cleanup:
        if data is None and for_ is not None:
            data = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="blockonset-")))
        directory = data or Path(".blockonset") / name
        _run(directory, lab, watch, ports, for_, as_json=json, fresh=fresh, accepted=accept_risk)


def _run(
    path: Path,
    lab: str | None,
    watch: Path | None,
    ports: Ports,
    seconds: float | None,
    *,
    as_json: bool,
    fresh: bool,
    accepted: str,
) -> None:
    output = console(stderr=as_json)

    # An unusable scenario or watch, or a refused consent, ends this before anything is created or deleted.
    requested: Subject = LabSubject(lab, 0) if lab else WatchSubject(watch or Path())
    requested.agree(path, accepted, lambda text: output.print(text, markup=False, highlight=False, soft_wrap=True))
    output.print(f"data directory: {path.absolute()}", markup=False, highlight=False, soft_wrap=True)
    data_directory = DataDirectory.open(
        path, f"lab {lab}" if lab else f"watch {(watch or Path()).stem}", fresh=fresh, lead_s=START_S
    )
    with contextlib.closing(data_directory):
        subject = LabSubject(lab, data_directory.mark.zero_ms) if lab else requested
        stack = Stack(data_directory, subject, ports)
        data_directory.announce(RunningUp(pid=os.getpid(), api=stack.api, dashboard=stack.dashboard or ""))
        with _termination_as_ctrl_c(), contextlib.ExitStack() as cleanup:
            cleanup.callback(stack.stop)
            try:
                stack.start()
                _print_addresses(output, stack, subject.advice, seconds)
                stack.keep_running(seconds)
            except KeyboardInterrupt:
                output.print("stopping …")
                return
            result = stack.finish()
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n")
    else:
        output.print(report.table(result))
    if not result.custody.balanced:
        raise UserError(
            f"measurements were lost or counted twice: {result.custody}. "
            f"Please report this, with the logs in {path}/logs."
        )


def _print_addresses(output: Console, stack: Stack, advice: str, seconds: float | None) -> None:
    output.print(f"[bold]{stack.watch.title}[/bold]")
    if stack.dashboard:
        output.print(f"  dashboard  {stack.dashboard}")
    output.print(f"  API        {stack.api}  (documentation: {stack.api}/docs)")
    output.print(f"  {advice}")
    output.print("  Ctrl-C stops everything." if seconds is None else f"  Stops by itself after {seconds:g} s.")


@contextlib.contextmanager
def _termination_as_ctrl_c() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP as Ctrl-C, and ignore all signals after the first, so that the shutdown completes."""

    def interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
        for s in signals:
            signal.signal(s, signal.SIG_IGN)
        raise KeyboardInterrupt

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {s: signal.signal(s, interrupt) for s in signals}
    try:
        yield
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)

"""Run everything on one machine: a fictional country to look at, or a real watch with a probe on this connection."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import cyclopts
import msgspec
from cyclopts import Parameter
from rich.console import Console

from infra.up import report
from infra.up.data_directory import DataDirectory, RunningUp
from infra.up.lab_subject import LabSubject
from infra.up.stack import Ports, Stack, Subject
from infra.up.watch_subject import WatchSubject
from probe.base.errors import UserError

app = cyclopts.App(name="up", help=__doc__)

START_S = 5.0
"""How long the processes take to start: a new scenario's zero time is that much later, so that none of it is missed."""


@app.default
def up(
    *,
    lab: Annotated[str | None, Parameter(help="A lab scenario's name; `blockonset lab list` tells which.")] = None,
    watch: Annotated[Path | None, Parameter(help="A watch file: contacts real services from here.")] = None,
    data: Annotated[Path | None, Parameter(help="Data directory. Default: .blockonset/<lab or watch>.")] = None,
    api_port: Annotated[int, Parameter(help="0 picks a free one.")] = 8601,
    dashboard_port: Annotated[int, Parameter(help="0 picks a free one.")] = 8501,
    dashboard: Annotated[bool, Parameter(help="Leave the dashboard out with --no-dashboard.")] = True,
    for_: Annotated[
        float | None, Parameter(name="--for", help="Stop after so many seconds, and print what was found.")
    ] = None,
    json: Annotated[bool, Parameter(help="With --for: print the findings as one JSON document.")] = False,
    accept_risk: Annotated[
        str,
        Parameter(env_var="BLOCKONSET_ACCEPT_RISK", help="With --watch: the version of the text that you agree to."),
    ] = "",
    fresh: Annotated[bool, Parameter(help="Start anew: empties the data directory first.")] = False,
) -> None:
    """Start the whole stack and keep it running until Ctrl-C.

    Give --lab for a fictional country, or --watch for a real one. Data stays in the data directory, and a second start
    goes on where the first one ended; with --for and without --data it goes to a temporary directory.
    """
    if (lab is None) == (watch is None):
        raise UserError(
            "give either --lab NAME (a fictional country; try --lab staggered) or --watch FILE (a real one)"
        )
    if for_ is not None and not for_ > 0:
        raise UserError(f"--for {for_}: must be above 0 seconds")
    if json and for_ is None:
        raise UserError("--json prints what was found at the end: give --for SECONDS too")
    name = lab or (watch or Path()).stem
    ports = Ports(api_port, dashboard_port if dashboard else None)
    with contextlib.ExitStack() as cleanup:
        if data is None and for_ is not None:
            data = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="blockonset-")))
        place = data or Path(".blockonset") / name
        _run(place, lab, watch, ports, for_, as_json=json, fresh=fresh, accepted=accept_risk)


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
    out = Console(stderr=as_json)

    # A scenario or watch that can't be used, and what nobody agreed to, is refused before anything is made or wiped.
    first: Subject = LabSubject(lab, 0) if lab else WatchSubject(watch or Path())
    first.agree(path, accepted, lambda text: out.print(text, markup=False, highlight=False, soft_wrap=True))
    place = DataDirectory.open(
        path, f"lab {lab}" if lab else f"watch {(watch or Path()).stem}", fresh=fresh, lead_s=START_S
    )
    with contextlib.closing(place):
        subject = LabSubject(lab, place.mark.zero_ms) if lab else first
        stack = Stack(place, subject, ports)
        place.announce(RunningUp(pid=os.getpid(), api=stack.api, dashboard=stack.dashboard or ""))
        with _interruptible(), contextlib.ExitStack() as cleanup:
            cleanup.callback(stack.stop)
            try:
                stack.start()
                _greet(out, stack, path, subject.advice, seconds)
                stack.tend(seconds)
            except KeyboardInterrupt:
                out.print("stopping …")
                return
            found = stack.finish()
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
    else:
        Console(width=None if sys.stdout.isatty() else report.WIDE).print(report.table(found))
    if not found.custody.balanced:
        raise UserError(f"the custody balance does not hold: {found.custody}. Please report this, with {path}/logs.")


def _greet(out: Console, stack: Stack, path: Path, advice: str, seconds: float | None) -> None:
    out.print(f"[bold]{stack.watch.title}[/bold]")
    if stack.dashboard:
        out.print(f"  dashboard  {stack.dashboard}")
    out.print(f"  API        {stack.api}  (its page: {stack.api}/docs)")
    out.print(f"  data       {path}")
    out.print(f"  {advice}")
    out.print("  Ctrl-C stops everything." if seconds is None else f"  Stops by itself after {seconds:g} s.")


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP as Ctrl-C, and only the first of them: stopping is not to be stopped half-way."""

    def interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
        for s in stops:
            signal.signal(s, signal.SIG_IGN)
        raise KeyboardInterrupt

    stops = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {s: signal.signal(s, interrupt) for s in stops}
    try:
        yield
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)

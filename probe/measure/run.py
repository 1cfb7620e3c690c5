"""One run: every check of every surface and the control, at the same moment and from the same vantage."""

from __future__ import annotations

import asyncio
import functools
import importlib.metadata
import platform
import secrets
import traceback
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import structlog

from probe.base import clock
from probe.base.errors import UserError
from probe.measure import control, registry
from probe.measure.context import Context
from probe.measure.loop_lag import LoopLag
from probe.measure.plan import EVERYTHING
from probe.place import own_names, resolver_kind, routes
from probe.place.vantage import of_run
from probe.protocol import privacy
from probe.protocol.measurement import Measurement, Step, Vantage

if TYPE_CHECKING:
    import re
    from collections.abc import Awaitable, Callable, Collection, Iterable

    from probe.measure.plan import RunPlanner
    from probe.measure.registry import Check
    from probe.net.network import Network
    from probe.protocol.prefix_table import OriginTable
    from probe.protocol.watch import Watch

_log = structlog.get_logger(__name__)

_RUN_TIMEOUTS = 2.5
"""The longest time of a run, in timeouts of one step."""


async def measure(
    watch: Watch,
    network: Network,
    vantage: Callable[[], Awaitable[Vantage]],
    *,
    now_ms: Callable[[], int] = clock.now_ms,
    checks: Collection[str] | None = None,
    table: OriginTable | None = None,
    planner: RunPlanner | None = None,
) -> tuple[Measurement, ...]:
    """Make one run and return a measurement for each check, all under one run id.

    `checks` names the checks to make; None means all of the watch's surfaces. A run takes at most about two and a half
    of the watch's timeouts. Nothing in the measurements identifies this line.
    `table` serves to recognise who runs the line's resolver. `planner` plans a probe's runs; without it a run tests
    everything that the watch lists. Raises UserError for a check whose surface is not in the watch.
    """
    plan = planner.plan() if planner else EVERYTHING
    chosen = [c for c in choose(watch, checks) if c.is_available() and (plan.sweep or not c.sweeps_only)]
    before, routes_before = await vantage(), routes.of_run(watch, network.dialer)
    at_ms = now_ms()
    context = Context(watch, network, clock.Clock(_RUN_TIMEOUTS * watch.timeout_s), plan)
    with LoopLag(watch.timeout_s) as lag:
        try:
            filters, control_outcome, outcomes = await asyncio.gather(
                control.filtering(context), _outcome(control.steps, context), _all(chosen, context)
            )
        finally:
            await context.close()
    after, routes_after = await vantage(), routes.of_run(watch, network.dialer)
    resolver = "filter" if filters else resolver_kind.line_kind(network.dialer, after.asn, table)
    run = _Run(
        watch=watch,
        at_ms=at_ms,
        run_id=secrets.token_hex(16),
        control=control_outcome,
        vantage=of_run(before, after, routes_before, routes_after, resolver),
        lag_ms=lag.worst_ms,
        sweep=plan.sweep,
    )
    own = own_names.own_names()
    made = tuple(_cleared(_measurement(run, c, o), own) for c, o in zip(chosen, outcomes, strict=True) if any(o))
    if planner:
        planner.learn(made, [c.name for c in registry.checks() if not c.triggers_sweep])
    return made


def choose(watch: Watch, names: Collection[str] | None) -> tuple[Check, ...]:
    """The checks of a watch's surfaces, or those of them with these names. Raises UserError for any other name."""
    possible = tuple(c for c in registry.checks() if c.surface in watch.surfaces.names())
    if names is None:
        return possible
    known = ", ".join(c.name for c in possible)
    for name in names:
        if name not in {c.name for c in possible}:
            raise UserError(f"check {name!r}: the watch {watch.id!r} has {known}")
    return tuple(c for c in possible if c.name in names)


class _Outcome(NamedTuple):
    """The steps of one check or of the control; `internal` describes a bug that ended it."""

    steps: tuple[Step, ...]
    internal: str = ""


class _Run(NamedTuple):
    """What the measurements of a run have in common."""

    watch: Watch
    at_ms: int
    run_id: str
    control: _Outcome
    vantage: Vantage
    lag_ms: float
    sweep: bool


async def _all(checks: Iterable[Check], context: Context) -> list[_Outcome]:
    """Do the checks, all at the same time."""
    outcomes = await asyncio.gather(*(_outcome(c.steps, context) for c in checks))
    context.mark_checks_done()
    return outcomes


async def _outcome(work: Callable[[Context], Awaitable[list[Step]]], context: Context) -> _Outcome:
    """Do one check. An exception is a bug of ours: it spoils this check's measurement and no other."""
    try:
        return _Outcome(tuple(await work(context)))
    except Exception as e:  # noqa: BLE001 - any exception is recorded in the measurement
        place = _place(e)  # no traceback: the message could contain something that identifies the line
        _log.error("a check failed with an exception: this is a bug", where=place)
        return _Outcome((), place)


def _place(error: Exception) -> str:
    """An error's class and where in our code it was raised, without its message, which could contain anything."""
    ours = [
        f"{frame.f_globals['__name__']}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__", "").startswith("probe.")
    ]
    return f"{type(error).__name__} at {ours[-1] if ours else 'unknown'}"


def _measurement(run: _Run, check: Check, outcome: _Outcome) -> Measurement:
    steps = (*outcome.steps, *run.control.steps)
    surfaces = run.watch.surfaces
    return Measurement(
        watch=run.watch.id,
        watch_digest=run.watch.digest,
        run_id=run.run_id,
        surface=check.surface,
        check=check.name,
        target=surfaces.web.host if check.surface == "web" and surfaces.web else run.watch.service,
        at_ms=run.at_ms,
        duration_ms=max((s.end_ms for s in steps), default=0.0),
        steps=steps,
        vantage=run.vantage,
        loop_lag_ms=run.lag_ms,
        sweep=run.sweep,
        timeout_ms=round(run.watch.timeout_s * 1000),
        internal=outcome.internal or run.control.internal,
        software=software(),
    )


def _cleared(measurement: Measurement, own: re.Pattern[str] | None) -> Measurement:
    """The measurement; without its steps, and with the field's name, if it would identify the volunteer."""
    field = privacy.identifying(measurement, own)
    if field is None:
        return measurement
    _log.error("a measurement was emptied: it would identify this line", check=measurement.check, field=field)
    return msgspec.structs.replace(measurement, steps=(), internal=f"identifying text in {field}")


@functools.cache
def software() -> str:
    """This program, its version and the family of the operating system, without any detail that could identify."""
    return f"blockonset/{importlib.metadata.version('blockonset')} ({platform.system() or 'unknown'})"

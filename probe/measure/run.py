"""One run: every check of every surface, the control beside them, the same moment and the same vantage."""

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

_RUN_OVER_STEP = 2.5
"""How long a run may take, in timeouts of one step."""


async def measure(
    watch: Watch,
    network: Network,
    vantage: Callable[[], Awaitable[Vantage]],
    *,
    now_ms: Callable[[], int] = clock.now_ms,
    checks: Collection[str] | None = None,
    table: OriginTable | None = None,
    rounds: RunPlanner | None = None,
) -> tuple[Measurement, ...]:
    """Make one run and return a measurement for each check, all under one run id.

    `checks` names the checks to make; None is all that the watch has a surface for. It takes at most about two and
    a half of the watch's timeouts. What would identify this line is not in what comes back.
    `table` tells whose the line's resolver is. `rounds` plans a probe's runs one after the other; without it a run
    tests everything that the watch lists. Raises UserError for a check that has no surface in the watch.
    """
    plan = rounds.plan() if rounds else EVERYTHING
    chosen = [c for c in choose(watch, checks) if plan.sweep or not c.sweeps_only]
    before, road = await vantage(), routes.of_run(watch, network.dialer)
    at_ms = now_ms()
    context = Context(watch, network, clock.Clock(_RUN_OVER_STEP * watch.timeout_s), plan)
    with LoopLag(watch.timeout_s) as lag:
        try:
            filters, beside, found = await asyncio.gather(
                control.filtering(context), _outcome(control.steps, context), _all(chosen, context)
            )
        finally:
            await context.close()
    after, road_after = await vantage(), routes.of_run(watch, network.dialer)
    resolver = "filter" if filters else resolver_kind.line_kind(network.dialer, after.asn, table)
    run = _Run(
        watch=watch,
        at_ms=at_ms,
        run_id=secrets.token_hex(16),
        control=beside,
        vantage=of_run(before, after, road, road_after, resolver),
        lag_ms=lag.worst_ms,
        sweep=plan.sweep,
    )
    own = own_names.own_names()
    made = tuple(_cleared(_measurement(run, c, o), own) for c, o in zip(chosen, found, strict=True) if any(o))
    if rounds:
        rounds.learn(made)
    return made


def choose(watch: Watch, names: Collection[str] | None) -> tuple[Check, ...]:
    """The checks to make for a watch. Raises UserError for a name that is no check of one of its surfaces."""
    possible = tuple(c for c in registry.checks() if c.surface in watch.surfaces.names())
    if names is None:
        return possible
    known = ", ".join(c.name for c in possible)
    for name in names:
        if name not in {c.name for c in possible}:
            raise UserError(f"check {name!r}: the watch {watch.id!r} has {known}")
    return tuple(c for c in possible if c.name in names)


class _Outcome(NamedTuple):
    """What came of one check, or of the control."""

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
    found = await asyncio.gather(*(_outcome(c.steps, context) for c in checks))
    context.checked()
    return found


async def _outcome(work: Callable[[Context], Awaitable[list[Step]]], context: Context) -> _Outcome:
    """Do one check. What it raises is our bug: it spoils its own measurement and no other."""
    try:
        return _Outcome(tuple(await work(context)))
    except Exception as e:  # noqa: BLE001 - whatever it is, it is recorded in the measurement
        place = _place(e)  # and no traceback: its message could tell of the line
        _log.error("a check broke: this is a bug", where=place)
        return _Outcome((), place)


def _place(error: Exception) -> str:
    """An error's class and where in our code it arose; its message could hold anything."""
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
    """The measurement, or what is left of one that would identify the volunteer: nothing but the field's name."""
    field = privacy.identifying(measurement, own)
    if field is None:
        return measurement
    _log.error("a measurement was emptied: it would identify this line", check=measurement.check, field=field)
    return msgspec.structs.replace(measurement, steps=(), internal=f"identifying text in {field}")


@functools.cache
def software() -> str:
    """This program and its version, and the family of the operating system: nothing finer."""
    return f"blockonset/{importlib.metadata.version('blockonset')} ({platform.system() or 'unknown'})"

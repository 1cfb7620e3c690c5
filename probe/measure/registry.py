"""Finds the checks: every module in the folder `checks`. What a module declares is listed in `probe.measure.checks`."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import TYPE_CHECKING, NamedTuple

import probe.measure.checks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import ModuleType

    from probe.measure.context import Context
    from probe.protocol.measurement import Step
    from probe.protocol.watch import Watch


class Check(NamedTuple):
    """One way of testing a surface, as its module declares it."""

    name: str
    surface: str
    steps: Callable[[Context], Awaitable[list[Step]]]
    expected_bytes: Callable[[Watch, bool], int]
    sweeps_only: bool
    triggers_sweep: bool
    is_available: Callable[[], bool]


@functools.cache
def checks() -> tuple[Check, ...]:
    """Every check in the folder, in the order of their names."""
    modules = [
        importlib.import_module(f"{probe.measure.checks.__name__}.{m.name}")
        for m in pkgutil.iter_modules(probe.measure.checks.__path__)
    ]
    return tuple(sorted((_declared(m) for m in modules), key=lambda c: c.name))


def _declared(module: ModuleType) -> Check:
    return Check(
        name=module.NAME,
        surface=module.SURFACE,
        steps=module.check,
        expected_bytes=module.expected_bytes,
        sweeps_only=getattr(module, "SWEEPS_ONLY", False),
        triggers_sweep=getattr(module, "TRIGGERS_SWEEP", True),
        is_available=getattr(module, "is_available", lambda: True),
    )

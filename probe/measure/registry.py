"""Finds the checks: every module in the folder `checks`."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import TYPE_CHECKING, NamedTuple

from probe.measure import checks as folder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from probe.measure.context import Context
    from probe.protocol.measurement import Step


class Check(NamedTuple):
    """One way of testing a surface."""

    name: str
    surface: str
    steps: Callable[[Context], Awaitable[list[Step]]]
    sweeps_only: bool


@functools.cache
def checks() -> tuple[Check, ...]:
    """Every check in the folder, in the order of their names."""
    modules = [importlib.import_module(f"{folder.__name__}.{m.name}") for m in pkgutil.iter_modules(folder.__path__)]
    return tuple(sorted(Check(m.NAME, m.SURFACE, m.check, getattr(m, "SWEEPS_ONLY", False)) for m in modules))

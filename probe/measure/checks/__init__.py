"""The checks: one file each, found by walking this folder.

A check's module has NAME, SURFACE (`web` or `app`) and `async def check(context) -> list[Step]`: flat steps that a
reader can follow from top to bottom. With SWEEPS_ONLY it is made in sweeps alone. What the network does is data; what
a check raises is a bug in it.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import TYPE_CHECKING, NamedTuple

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
def discover() -> tuple[Check, ...]:
    """Every check in this folder, in the order of their names."""
    modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    return tuple(sorted(Check(m.NAME, m.SURFACE, m.check, getattr(m, "SWEEPS_ONLY", False)) for m in modules))

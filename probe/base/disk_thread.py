"""One thread for everything that waits for the disk.

A disk flush on the event loop would stall it, and a stalled loop looks like blocking. One thread for all probes of a
process keeps their writes in order.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

_thread = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="disk")


async def call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in the disk thread and return its result. It runs to its end even if the caller is cancelled."""
    loop = asyncio.get_running_loop()
    return await asyncio.shield(loop.run_in_executor(_thread, functools.partial(function, *args, **kwargs)))

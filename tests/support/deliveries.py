"""A probe's delivery that runs beside a test."""

from __future__ import annotations

import asyncio
import contextlib

from probe.base.stopping import stops_within
from probe.custody.delivery import Delivery
from probe.custody.standing_connection import StandingConnection
from probe.custody.visits import Visits
from probe.home.notebook import Notebook


@contextlib.asynccontextmanager
async def delivering(config, key, spool, *tasks):
    """Deliver what a test adds to the spool while the context is entered, and flush at its end.

    With `deliver_every_s` visits are made as if a run ended twenty times a second; without it, it stays connected.
    """
    stop = asyncio.Event()
    delivery = Delivery(config, key, spool, Notebook(spool.path.parent), tasks)
    working = _visit(Visits(delivery, cadence_s=1.0), stop) if config.deliver_every_s else None
    task = asyncio.create_task(working or StandingConnection(delivery).run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def _visit(visits, stop):
    while not await stops_within(stop, 0.05):
        await visits.after_run(stop)
    await visits.last()

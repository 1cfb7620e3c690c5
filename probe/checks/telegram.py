"""Do Telegram's datacentres answer in MTProto? One endpoint and port at a time, so that a partial block shows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probe.context import Context
    from probe.measurement import Step
    from probe.watch import Endpoint

NAME = "telegram"
SURFACE = "app"


async def check(context: Context) -> list[Step]:
    """Connect to every endpoint and port of the watch, and ask for resPQ over the intermediate transport."""
    app = context.watch.surfaces.app
    assert app is not None
    found = await asyncio.gather(*(_endpoint(context, e, port) for e in app.endpoints for port in e.ports))
    return [step for steps in found for step in steps]


async def _endpoint(context: Context, endpoint: Endpoint, port: int) -> list[Step]:
    with await context.connect(endpoint.id, endpoint.address, port) as connection:
        await connection.exchange("intermediate")
    return connection.steps

"""Do Telegram's datacentres answer in MTProto? One connection at a time, so that a partial block shows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from probe.measure.plan import chosen, others6

if TYPE_CHECKING:
    from probe.measure.context import Context
    from probe.measure.plan import EndpointTry
    from probe.protocol.measurement import Step
    from probe.protocol.watch import Endpoint

NAME = "telegram"
SURFACE = "app"


async def check(context: Context) -> list[Step]:
    """Connect to the datacentres in the ways that are this run's, and ask each for resPQ."""
    app = context.watch.surfaces.app
    assert app is not None
    steps = await _all(context, chosen(context.plan, app.endpoints, context.has_route))
    if context.reached6 and not context.plan.sweep and any(s.failure and s.address.startswith("[") for s in steps):
        steps += await _all(context, others6(context.plan, app.endpoints, context.has_route))
    return steps


async def _all(context: Context, these: list[tuple[Endpoint, EndpointTry]]) -> list[Step]:
    found = await asyncio.gather(*(_endpoint(context, endpoint, way) for endpoint, way in these))
    return [step for steps in found for step in steps]


async def _endpoint(context: Context, endpoint: Endpoint, way: EndpointTry) -> list[Step]:
    """Connect, hold the connection in silence, then say the first words: so it shows which of these was cut."""
    with await context.connect(endpoint.id, way.address, way.port) as connection:
        await connection.hold(context.hold_s)
        await connection.exchange(way.transport)
    return connection.steps

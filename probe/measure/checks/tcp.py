"""Can a connection be made, and is it left alone before a byte is sent? In light runs the TLS check tells as much."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probe.measure.context import Context
    from probe.protocol.measurement import Step

NAME = "tcp"
SURFACE = "web"
SWEEPS_ONLY = True


async def check(context: Context) -> list[Step]:
    """Connect to each address of the web host on port 443, and hold the connection in silence."""
    found = await asyncio.gather(*(_address(context, a) for a in await context.web_addresses()))
    return [step for steps in found for step in steps]


async def _address(context: Context, address: str) -> list[Step]:
    with await context.connect(context.web.host, address, 443) as connection:
        await connection.hold(context.hold_s)
    return connection.steps

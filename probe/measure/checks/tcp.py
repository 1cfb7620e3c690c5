"""Can a connection be made, and does it stay open before a byte is sent? In light runs the TLS check shows as much."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from probe.measure import bytes_on_wire

if TYPE_CHECKING:
    from probe.measure.context import Context
    from probe.protocol.measurement import Step
    from probe.protocol.watch import Watch

NAME = "tcp"
SURFACE = "web"
SWEEPS_ONLY = True


def expected_bytes(_watch: Watch, _sweep: bool) -> int:
    """One connection."""
    return bytes_on_wire.OPEN_AND_CLOSE


async def check(context: Context) -> list[Step]:
    """Connect to each address of the web host on port 443, and hold the connection in silence."""
    by_address = await asyncio.gather(*(_address(context, a) for a in await context.web_addresses()))
    return [step for steps in by_address for step in steps]


async def _address(context: Context, address: str) -> list[Step]:
    with await context.connect(context.web.host, address, 443) as connection:
        await connection.hold(context.hold_s)
    return connection.steps

"""What does plain HTTP answer: the service, or a block page?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probe.measure.context import Context
    from probe.protocol.measurement import Step

NAME = "http"
SURFACE = "web"


async def check(context: Context) -> list[Step]:
    """Ask each address of the web host for its front page on port 80."""
    found = await asyncio.gather(*(_address(context, a) for a in await context.web_addresses()))
    return [step for steps in found for step in steps]


async def _address(context: Context, address: str) -> list[Step]:
    with await context.connect(context.web.host, address, 80) as connection:
        await connection.request(context.web.host)
    return connection.steps

"""Does TLS work under the service's name, and if not, under a harmless one at the same address?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probe.measure.context import Context
    from probe.protocol.measurement import Step

NAME = "tls"
SURFACE = "web"


async def check(context: Context) -> list[Step]:
    """Hold a connection in silence, then shake hands, at each address; a sweep asks for the front page too.

    The watch's contrast is offered where that fails, and in a sweep: a handshake is the dearest thing in a light run,
    and the contrast tells something only beside a failure.
    """
    found = await asyncio.gather(*(_address(context, a) for a in await context.web_addresses()), _address6(context))
    return [step for steps in found for step in steps]


async def _address6(context: Context) -> list[Step]:
    """Where the line has both families, a light run sees by a connection alone whether IPv6 gets through too."""
    address = await context.web_address6()
    if not address:
        return []
    with await context.connect(context.web.host, address, 443) as connection:
        await connection.hold(context.hold_s)
    return connection.steps


async def _address(context: Context, address: str) -> list[Step]:
    contrast = context.web.contrast
    with await context.connect(context.web.host, address, 443) as connection:
        await connection.hold(context.hold_s)
        await connection.handshake(context.web.host)
        failed = connection.steps[-1].op == "handshake" and connection.failed
        if context.plan.sweep:
            await connection.request(context.web.host)
    if not contrast or not (failed or context.plan.sweep):
        return connection.steps
    with await context.connect(context.web.host, address, 443, "contrast") as other:
        await other.handshake(contrast, resume=not context.plan.sweep)
        await other.keep_session(contrast)
    return [*connection.steps, *other.steps]

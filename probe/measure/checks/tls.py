"""Does TLS work under the service's name, and if not, under a harmless one at the same address?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from probe.measure import bytes_on_wire

if TYPE_CHECKING:
    from probe.measure.context import Context
    from probe.protocol.measurement import Step
    from probe.protocol.watch import Watch

NAME = "tls"
SURFACE = "web"


def expected_bytes(watch: Watch, sweep: bool) -> int:
    """A handshake, and one under the contrast in a sweep."""
    web = watch.surfaces.web
    return bytes_on_wire.HTTPS_HANDSHAKE * (2 if web and web.contrast and sweep else 1)


async def check(context: Context) -> list[Step]:
    """Hold a connection in silence, then shake hands, at each address. A sweep asks for the front page too.

    The watch's contrast is offered in sweeps and after a failure: it is informative only beside a failure, and a
    handshake is the most expensive part of a light run.
    """
    by_address = await asyncio.gather(
        *(_address(context, a) for a in await context.web_addresses()), _connect_ipv6(context)
    )
    return [step for steps in by_address for step in steps]


async def _connect_ipv6(context: Context) -> list[Step]:
    """On a line with both families, a light run tests IPv6 by a connection alone."""
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

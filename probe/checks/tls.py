"""Does TLS work under the service's name, and under a harmless one at the same address?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probe.context import Context
    from probe.measurement import Part, Step

NAME = "tls"
SURFACE = "web"


async def check(context: Context) -> list[Step]:
    """Shake hands at each address of the web host, as itself and as the contrast when the watch gives one."""
    names: list[tuple[str, Part]] = [(context.web.host, "target")]
    if context.web.contrast:
        names.append((context.web.contrast, "contrast"))
    addresses = await context.web_addresses()
    found = await asyncio.gather(*(_handshake(context, a, name, part) for a in addresses for name, part in names))
    return [step for steps in found for step in steps]


async def _handshake(context: Context, address: str, name: str, part: Part) -> list[Step]:
    with await context.connect(context.web.host, address, 443, part) as connection:
        await connection.handshake(name)
    return connection.steps

"""Does HTTP/3 work: QUIC under the service's name, and beside it a harmless name and the control?

Where the extra `http3` is not installed nothing is tested. What fails here is a fact and no verdict: many services
don't speak QUIC, and many networks drop UDP 443 for all of them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from probe.net import quic_process
from probe.protocol.addresses import is_bogon

if TYPE_CHECKING:
    from probe.measure.context import Context
    from probe.net.quic_process import QuicHandshake
    from probe.protocol.measurement import Step

NAME = "http3"
SURFACE = "web"
SWEEPS_ONLY = True


async def check(context: Context) -> list[Step]:
    """Shake hands over QUIC with the web host, under both names, and with the control."""
    if not quic_process.is_installed():
        return []
    return await context.quic(*await asyncio.gather(_service(context), _control(context)))


async def _service(context: Context) -> list[QuicHandshake]:
    """At the address that a browser would use. The contrast goes first.

    A censor that reads server names in QUIC may then drop the whole flow between two addresses for minutes, as China's
    was seen to do in 2024 and 2025 (gfw.report): the contrast would be cut along with the name before it.
    """
    host, contrast = context.web.host, context.web.contrast
    asked = []
    for address in (await context.web_addresses())[:1]:
        if contrast:
            asked.append(context.handshake(host, address, contrast, "contrast"))
        asked.append(context.handshake(host, address, host))
    return asked


async def _control(context: Context) -> list[QuicHandshake]:
    """Whether UDP 443 gets anywhere at all from this line, if the control speaks QUIC.

    How its name resolves, the control's own steps tell.
    """
    control = context.watch.control
    known = control.addresses or (await context.resolve(control.host, "control")).answers
    usable = [a for a in known if not is_bogon(a) and context.has_route(a)]
    return [context.handshake(control.host, a, control.host, "control") for a in usable[:1]]

"""Can the site's web socket endpoints be reached, which carry what its page shows?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from probe.measure import bytes_on_wire
from probe.protocol.addresses import is_bogon

if TYPE_CHECKING:
    from probe.measure.context import Context
    from probe.protocol.measurement import Step
    from probe.protocol.watch import Watch

NAME = "sockets"
SURFACE = "web"
SWEEPS_ONLY = True
TRIGGERS_SWEEP = False

_PATH = "/apiws"
"""Where Telegram's web client opens its sockets (core.telegram.org/mtproto/transports)."""


def expected_bytes(watch: Watch, _sweep: bool) -> int:
    """A question and a TLS connection for each host."""
    web = watch.surfaces.web
    return len(web.sockets) * (bytes_on_wire.LOOKUP + bytes_on_wire.HTTPS_HANDSHAKE) if web else 0


async def check(context: Context) -> list[Step]:
    """Resolve each host, shake hands and ask for a web socket as the page does; status 101 means that it opens."""
    by_host = await asyncio.gather(*(_host(context, host) for host in context.web.sockets))
    return [step for steps in by_host for step in steps]


async def _host(context: Context, host: str) -> list[Step]:
    resolved = await context.resolve(host)
    address = next((a for a in resolved.answers if not is_bogon(a)), None)
    if address is None:
        return [resolved]
    with await context.connect(host, address, 443) as connection:
        await connection.handshake(host)
        await connection.open_web_socket(host, _PATH)
    return [resolved, *connection.steps]

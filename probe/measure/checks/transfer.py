"""How fast does something come from the service, beside the same from the control, in the same minute?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.protocol.addresses import is_bogon

if TYPE_CHECKING:
    from probe.measure.context import Context
    from probe.protocol.measurement import Part, Step

NAME = "transfer"
SURFACE = "web"
SWEEPS_ONLY = True


async def check(context: Context) -> list[Step]:
    """Download from the control, then from the web host, one after the other: they would share the line."""
    control, web = context.watch.control, context.web
    if not (control.transfer and web.transfer):
        return []
    resolved = [] if control.addresses else [await context.resolve(control.host, "control")]
    where = control.addresses or tuple(a for a in resolved[0].answers if not is_bogon(a))
    beside = await _from(context, control.host, where[:1], control.transfer, "control")
    addresses = await context.web_addresses()
    return [*resolved, *beside, *await _from(context, web.host, addresses[:1], web.transfer, "target")]


async def _from(context: Context, host: str, addresses: tuple[str, ...], path: str, part: Part) -> list[Step]:
    steps: list[Step] = []
    for address in addresses:
        with await context.connect(host, address, 443, part) as connection:
            await connection.handshake(host)
            await connection.transfer(host, path)
        steps += connection.steps
    return steps

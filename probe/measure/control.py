"""The control: what nobody blocks, tested beside every measurement. Is this line online, does its resolver work?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from probe.protocol.addresses import is_bogon

if TYPE_CHECKING:
    from probe.measure.context import Context
    from probe.protocol.measurement import Step


async def steps(context: Context) -> list[Step]:
    """Resolve the control's name, then connect and shake hands: at the resolved address, or else at the watch's.

    So the certificate vouches for the resolver too: one that lies about every name is no censor of the service.

    A light run resolves and connects at its beginning like every other, and shakes hands over that connection as soon
    as something of the service fails or hangs. Where all of the service works, its own certificate and answers vouch
    for the line, and the control's certificates, half of what a light run would take, need not travel.

    Where the line has IPv6 too, the same there: what fails over IPv6 says nothing where the control's fails.
    """
    four, six = await asyncio.gather(_over4(context), _over6(context))
    return [*four, *six]


async def _over4(context: Context) -> list[Step]:
    control = context.watch.control
    resolved = await context.resolve(control.host, "control")
    if not context.ipv4:
        return [resolved]
    return [resolved, *await _address(context, 4, _first(4, resolved.answers, control.addresses))]


async def _over6(context: Context) -> list[Step]:
    control = context.watch.control
    if not context.ipv6:
        return []
    if address := _first(6, control.addresses, ()):
        return await _address(context, 6, address)
    resolved = await context.resolve(control.host, "control", family=6)
    return [resolved, *await _address(context, 6, _first(6, resolved.answers, ()))]


def _first(family: Literal[4, 6], *among: tuple[str, ...]) -> str:
    """The first usable address of a family; "" for none."""
    for addresses in among:
        for address in addresses:
            if (":" in address) == (family == 6) and not is_bogon(address):
                return address
    return ""


async def _address(context: Context, family: Literal[4, 6], address: str) -> list[Step]:
    if not address:
        return []
    host = context.watch.control.host
    with await context.connect(host, address, 443, "control") as connection:
        if context.plan.sweep or await context.doubtful(family):
            await connection.handshake(host, resume=not context.plan.sweep)
            await connection.keep_session(host)
    return connection.steps


async def filtering(context: Context) -> bool:
    """Whether the line's resolver denies the watch's canary while it answers: by custom it filters for its users.

    Mozilla's canary is denied by parental controls and by home filters such as Pi-hole, as they are shipped.
    """
    canary = context.watch.control.canary
    if not canary:
        return False
    step = await context.network.resolve(canary, limit=context.watch.timeout_s, clock=context.clock, part="control")
    return step.rcode is not None and (not step.answers or all(is_bogon(a) for a in step.answers))
